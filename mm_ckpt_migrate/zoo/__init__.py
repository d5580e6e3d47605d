"""What the model zoos published about the files that this tool migrates."""
