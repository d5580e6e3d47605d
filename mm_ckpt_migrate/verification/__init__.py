"""`verify`: climb the ladder of proof with a file that was migrated before."""
