"""The stack in containers: planned from the compose file, run, watched, and found again."""
