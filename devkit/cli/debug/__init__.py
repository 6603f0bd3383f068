"""`devkit debug`: lists, waits, attaches."""
