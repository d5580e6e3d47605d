"""Many checkpoints: find them, decide on each, do the work, and account for every one."""
