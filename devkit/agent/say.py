"""How this process says something where it runs."""

import os


def say(text: str) -> None:
    """To the log, whatever the project makes of logging and of sys.stderr."""
    os.write(2, f"{text}\n".encode(errors="replace"))
