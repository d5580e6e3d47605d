"""Everything that is decided before a byte is written."""
