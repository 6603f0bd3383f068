"""Start everything: python start.py"""

import subprocess
import sys

COMMANDS = [
    [sys.executable, "-m", "celery", "-A", "sums.power", "worker", "--loglevel=info"],
    [sys.executable, "-m", "uvicorn", "sums.desk:desk", "--port", "8000"],
]

if __name__ == "__main__":
    processes = [subprocess.Popen(command) for command in COMMANDS]
    for process in processes:
        process.wait()
