"""The developer-experience and debugging toolkit for Celery + FastAPI projects."""

# The name it is installed by; the command and the package are called devkit.
DISTRIBUTION = "celery-devkit"


def __getattr__(name: str) -> str:
    """`__version__`, which the installation tells: to ask costs more than most commands need for themselves."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:  # a source that is run as it lies there
        return "0+unknown"
