"""Failed tasks among the stored results of the app's own result backend."""
