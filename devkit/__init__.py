"""The developer-experience and debugging toolkit for Celery + FastAPI projects."""

__version__ = "0.1.0"
