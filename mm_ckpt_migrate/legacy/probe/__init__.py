"""Child only: what runs in either release's Python, from Python 3.8 on.

Besides each other these files import what needs nothing of this package: `target.sandbox`,
`target.permitted`, `target.build`, `target.reading` and `target.forward`.
"""
