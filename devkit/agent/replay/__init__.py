"""Running a failed task again: rebuilt, in a sandbox, and what came of it."""
