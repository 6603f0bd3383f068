import os

BROKER = os.environ.get("BROKER", "redis://127.0.0.1:6379/1")
RESULTS = os.environ.get("RESULTS", "redis://127.0.0.1:6379/2")
