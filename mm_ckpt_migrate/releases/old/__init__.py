"""An old release in an environment of its own, and the measuring process for either release.

Nothing in this process imports torch or an OpenMMLab package: what lies in `probe` runs in a child
process, in the old release's Python or in ours.
"""
