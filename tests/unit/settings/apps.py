"""Small projects with apps in them, and what is wrong where none is found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from devkit.errors import UsageError
from devkit.settings.discover import find_celery, find_fastapi, resolve_celery, resolve_fastapi

CELERY = "from celery import Celery\n{} = Celery('x')\n"
FASTAPI = "from fastapi import FastAPI\n{} = FastAPI()\n"
APP = CELERY.format("app")
API = FASTAPI.format("app")

Write = Callable[[dict[str, str | bytes]], Path]


def celery_error(root: Path, spec: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        find_celery(root) if spec is None else resolve_celery(root, spec)
    return caught.value


def fastapi_error(root: Path, spec: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        find_fastapi(root) if spec is None else resolve_fastapi(root, spec)
    return caught.value
