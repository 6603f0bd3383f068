"""Containers and pods: which there are, what docker tells of them, and how to run a few lines of Python in one."""
