"""`devkit failures` and `devkit show`."""
