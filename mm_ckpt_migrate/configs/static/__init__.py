"""The language of configs: the expressions and statements that have a value without running."""
