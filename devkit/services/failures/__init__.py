"""Failed tasks: from the store where the worker recorded them, and from the stored results."""
