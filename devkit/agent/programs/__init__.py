"""What a generation runs: the worker or the API, and how it hands over to the next one."""
