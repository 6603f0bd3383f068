"""What runs in a container or a pod: each file's text is handed to whatever Python 3.7 or later is there."""
