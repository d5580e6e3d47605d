"""Child only: what runs in either release's Python, from Python 3.8 on.

Of this package they import each other, the wall, `current.child.build` and the list of allowed
classes, and no more: the old release's environment has none of the package's dependencies.
"""
