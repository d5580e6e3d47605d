"""Configs of an old release turned into ones for the current release."""
