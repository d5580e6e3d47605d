"""The ladder of proof, one file per rung."""
