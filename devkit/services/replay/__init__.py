"""Running failed tasks again in a process of the project's own."""
