"""What a checkpoint's nodes mean: its tensors, its config, its training state, its stamp."""
