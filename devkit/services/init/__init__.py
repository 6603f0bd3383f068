"""What `devkit init` writes, and the evidence that it goes by."""
