"""What can be started and asked in a project: the engines joined, by its settings, for the commands."""
