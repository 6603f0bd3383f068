"""Find a project's Celery and FastAPI apps by reading its files, never by importing them.

`find_*` looks through the whole project, `resolve_*` checks what the user named; the answer is an `AppRef`.
"""

from devkit.settings.discover.find import find_celery, find_fastapi
from devkit.settings.discover.resolve import resolve_celery, resolve_fastapi
from devkit.settings.discover.roots import AppRef

__all__ = ["AppRef", "find_celery", "find_fastapi", "resolve_celery", "resolve_fastapi"]
