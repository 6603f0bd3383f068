"""Ways into containers: their ports from here, and which of a project's services they are."""
