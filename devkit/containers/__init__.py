"""Containers: which there are, and how to run a few lines of Python in one."""
