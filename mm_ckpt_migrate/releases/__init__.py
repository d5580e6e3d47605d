"""The releases of OpenMMLab, each run in a child process behind a wall of the kernel."""
