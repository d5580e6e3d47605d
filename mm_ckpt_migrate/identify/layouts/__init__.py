"""What the shipped configs of six releases build, and which of them a state dict is of."""
