"""What the current release builds from a config: its state dict, and whether a file loads into it.

Nothing in this process imports torch or an OpenMMLab package: `probe`, `sandbox`, `deferred`,
`build`, `layout` and `loading` run in a child process, and the rest talks to it. `resolve` is the
way in.
"""
