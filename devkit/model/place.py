"""Where a file that was named elsewhere, as in a container, is here."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from .failure import Failure
from .own import is_library

IN_TRACEBACK = re.compile(r'(?<=  File ")[^"\n]+(?=", line \d)')


def here(path: str, root: str) -> str:
    """The file in the project's folder, or in a folder right in it, that shares the longest end with this path.

    The path itself if it is a file here, a library's, or like none of the project's, or like several.
    """
    if not os.path.isabs(path) or is_library(path) or os.path.exists(path):
        return path
    parts = path.split("/")[1:]
    folders = [root, *_folders(root)]
    for start in range(len(parts)):
        tail = os.path.join(*parts[start:])
        found = [one for one in (os.path.join(folder, tail) for folder in folders) if os.path.isfile(one)]
        if found:
            return found[0] if len(found) == 1 or found[0] == os.path.join(root, tail) else path
    return path


def brought_here(failure: Failure, root: str) -> Failure:
    """The failure with the files of its traceback where they are here; all that it says stays as it was."""
    frames = tuple(replace(frame, file=here(frame.file, root)) for frame in failure.frames)
    return replace(failure, frames=frames, traceback=traceback_here(failure.traceback, root))


def traceback_here(text: str, root: str) -> str:
    """The text of a traceback with its files where they are here."""
    return IN_TRACEBACK.sub(lambda found: here(found[0], root), text)


def moved(text: str, there: str, to: str) -> str:
    """The text with paths in the one file's folder, or above it, as they are beside the other file.

    Both are the same file of the project, in two folders: /app/shop/tasks.py and /home/ann/shop/shop/tasks.py.
    """
    one, other = there.split("/"), to.split("/")
    while one and other and one[-1] == other[-1]:
        one.pop()
        other.pop()
    if one == other or len(one) == len(there.split("/")):
        return text
    before, now = "/".join(one), "/".join(other)
    return re.sub(rf"(?<![\w/.~-]){re.escape(before)}(?=/)", lambda _: now, text)


def _folders(root: str) -> list[str]:
    try:
        with os.scandir(root) as found:
            return [one.path for one in found if not one.name.startswith(".") and one.is_dir()]
    except OSError:
        return []
