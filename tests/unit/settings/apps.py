"""Small projects with apps in them, and what is wrong where none is found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from devkit.errors import UsageError
from devkit.settings.discover import AppRef, find_celery, find_programs, resolve_api, resolve_celery

CELERY = "from celery import Celery\n{} = Celery('x')\n"
FASTAPI = "from fastapi import FastAPI\n{} = FastAPI()\n"
APP = CELERY.format("app")
API = FASTAPI.format("app")

Write = Callable[[dict[str, str | bytes]], Path]


def celery_error(root: Path, spec: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        find_celery(root) if spec is None else resolve_celery(root, spec)
    return caught.value


def fastapi_error(root: Path, spec: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        resolve_api(root, spec)
    return caught.value


def find_api(root: Path) -> AppRef | None:
    """The project's first API; a worker, which every project has, is added."""
    (root / "a_worker_for_celery.py").write_text(CELERY.format("queue"))
    apis = find_programs(root).apis
    return apis[0].app if apis else None
