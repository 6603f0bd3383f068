"""Find a project's Celery apps and APIs by reading its files, never by importing them.

`find_*` looks through the whole project, `resolve_*` checks what the user named.
"""

from devkit.settings.discover.find import find_apis, find_celery, find_programs
from devkit.settings.discover.resolve import resolve_api, resolve_celery
from devkit.settings.discover.roots import AppRef

__all__ = ["AppRef", "find_apis", "find_celery", "find_programs", "resolve_api", "resolve_celery"]
