"""What the project is: its interpreter, its app's facts, its broker; and errands in its own process."""
