"""Finding paused tasks wherever they are, waiting for them, and attaching."""
