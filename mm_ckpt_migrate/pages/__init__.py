"""The report of `verify --report`: one page for people, and the same as JSON."""
