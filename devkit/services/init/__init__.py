"""What `devkit init` writes: `[tool.devkit]`, and the files that run the project in containers."""
