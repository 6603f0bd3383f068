"""The project's app: importing it, telling about it, sending one of its tasks."""
