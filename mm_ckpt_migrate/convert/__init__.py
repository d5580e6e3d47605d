"""`convert` and `plan`: one checkpoint, decided first, then written, then checked."""
