"""What devkit and the agent in the project's workers share by way of files: standard library only, Python 3.10."""
