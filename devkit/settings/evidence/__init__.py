"""What a project's own files tell of how it is run: its start lines, its compose services, its variables.

Nothing is imported, nothing is run; each piece of evidence says in which file and line it was found.
"""
