"""What a config may have built or run."""
