"""`devkit worker` and `devkit api`."""
