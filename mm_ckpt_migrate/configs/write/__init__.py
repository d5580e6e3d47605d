"""Config source: edited where its dicts are written out, or written anew."""
