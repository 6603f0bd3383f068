"""What devkit and the project's workers share, in files and in Redis: standard library and redis only, Python 3.10."""
