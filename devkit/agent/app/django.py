"""Django's settings, where only manage.py names them: what it starts knows them, and Celery has to know them, too.

Celery sets Django up by itself where DJANGO_SETTINGS_MODULE is set when the app is made (celery.fixups.django).
"""

import os
import re
from contextlib import suppress

VARIABLE = "DJANGO_SETTINGS_MODULE"
# `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")`, or as a key that is set.
SETS = re.compile(rf"""["']{VARIABLE}["']\s*[,\]]\s*=?\s*["']([\w.]+)["']""")


def take_settings(module: str) -> None:
    """Let the app's module, which is imported next, find what manage.py in this folder sets; what is set already, or by
    the module itself, is left alone."""
    if VARIABLE in os.environ or VARIABLE in "".join(map(_text, _files(module))):
        return
    if found := SETS.search(_text("manage.py")):
        os.environ[VARIABLE] = found[1]


def _files(module: str) -> "list[str]":
    """The module's file, as it may be called, and what is imported before it."""
    path = module.replace(".", "/")
    return [f"{path}.py", f"{path}/__init__.py", f"{path}/celery.py", f"{os.path.dirname(path) or '.'}/__init__.py"]


def _text(path: str) -> str:
    if os.path.isfile(path):  # a pipe of that name would never end
        with suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
            return file.read()
    return ""
