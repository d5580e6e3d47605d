"""The new file: its edits, its container, its copy on the disk."""
