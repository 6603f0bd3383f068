"""Which processes may wait in Celery's own rdb, and where these listen.

This text also goes into containers, in front of what looks for them there: Python 3.7, and nothing is imported.
"""

DEFAULT_PORT = 6899
PORTS = 100  # an rdb tries so many from the base port on
BASE_PORT = "CELERY_RDB_PORT"
# In the environment of devkit's own workers, whose debugger is not Celery's: where it keeps its sessions.
DEBUG_FOLDER = "DEVKIT_DEBUG_FOLDER"


def is_worker(argv: "list[str]") -> bool:
    """Whether it is the command line of a Celery worker, in whatever way that was started or renamed."""
    words = " ".join(argv).split()
    if any(word.startswith("[celeryd:") for word in words):  # with setproctitle installed
        return True
    celery = next((place for place, word in enumerate(words) if word.rpartition("/")[2] == "celery"), None)
    return celery is not None and "worker" in words[celery:]


def is_rdb_port(port: int, base: str) -> bool:
    """Whether an rdb may listen there; `base` is what BASE_PORT says in its environment."""
    first = int(base) if base.isdigit() else DEFAULT_PORT
    return first <= port <= first + PORTS
