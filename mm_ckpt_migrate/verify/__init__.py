"""The ladder of proof: a finished file held against its source, rung by rung."""
