"""Child only: what runs in either release's Python, from Python 3.8 on.

Besides each other these files import what needs nothing else of this package: `target.serve` and
the wall, `target.permitted`, `target.build`, `target.reading` and `target.forward`.
"""
