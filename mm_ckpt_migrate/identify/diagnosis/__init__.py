"""What a checkpoint is, which releases load it, and what leads to the current one."""
