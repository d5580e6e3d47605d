"""The whole new file, compared with what `convert` would write now of the old one."""
