"""Starting the project's code: a process that has imported ahead, and the generations that it forks."""
