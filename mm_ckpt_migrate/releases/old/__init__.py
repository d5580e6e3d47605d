"""An old release in a virtual environment of its own: made, found, asked for its versions, removed."""
