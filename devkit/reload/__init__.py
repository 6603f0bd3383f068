"""Hot reload: watch → fork → hand over. New code is live in a blink, and no task is lost."""
