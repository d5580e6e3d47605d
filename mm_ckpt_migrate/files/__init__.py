"""Files of checkpoints, read and written without running anything that is in them."""
