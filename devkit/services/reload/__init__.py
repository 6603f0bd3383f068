"""`devkit worker` and `devkit api`: generations that follow the code as it is saved."""
