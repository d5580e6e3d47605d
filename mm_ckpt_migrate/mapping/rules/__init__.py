"""Rule files: their grammar, how keys are matched, and how a family is recognised."""
