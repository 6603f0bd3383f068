"""The stack of one project: its services, and what `devkit up` runs."""
