"""What tells the kinds of app apart, and how users name each: the most usual names first."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of app."""

    name: str  # the class
    package: str  # the library that has it
    attributes: tuple[str, ...]  # what people call the app
    modules: tuple[str, ...]  # where they put it
    implied: tuple[str, ...]  # what MODULE without ATTR stands for, as in `celery -A` and fastapi-cli
    option: str
    setting: str


CELERY = Kind(
    name="Celery",
    package="celery",
    attributes=("celery_app", "celery", "app"),
    modules=("celery_app", "celery", "celery_worker", "worker", "make_celery", "tasks", "main"),
    implied=("app", "celery"),
    option="-A",
    setting="celery",
)
FASTAPI = Kind(
    name="FastAPI",
    package="fastapi",
    attributes=("app", "api", "application"),
    modules=("main", "app", "api", "server", "asgi"),
    implied=("app", "api"),
    option="--api",
    setting="api",
)
FLASK = Kind(
    name="Flask",
    package="flask",
    attributes=("app", "application", "flask_app"),
    modules=("wsgi", "app", "main", "application", "server"),
    implied=("app", "application"),
    option="--api",
    setting="api",
)
KINDS = (CELERY, FASTAPI, FLASK)


def place(name: str, usual: Sequence[str]) -> int:
    """Where the name stands among the usual ones: the lower, the likelier."""
    return usual.index(name) if name in usual else len(usual)
