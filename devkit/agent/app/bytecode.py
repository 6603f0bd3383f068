"""Keeps Python from running old code: its bytecode cache sees neither size nor second change in a quick edit.

A .pyc file is taken for fresh when the source has the size and the modification time, in whole seconds, that it had
(PEP 552, importlib's SourceLoader.get_code). Two saves of the same length within one second look alike.
"""

import importlib.machinery
import os
from typing import Any

# A cache that was written this long after the source last changed has seen the source as it is.
SETTLED_NS = 2_000_000_000


def distrust_recent() -> None:
    """From now on a .pyc counts only if its source had not changed for some time when it was written."""
    loader: Any = importlib.machinery.SourceFileLoader
    read = loader.get_data

    def get_data(self: Any, path: str) -> bytes:
        if path.endswith(".pyc") and _may_be_stale(path, self.path):
            raise OSError  # as if there was no cache: the source is compiled again
        data: bytes = read(self, path)
        return data

    loader.get_data = get_data


def _may_be_stale(cache: str, source: str) -> bool:
    # The time of the last change of the inode cannot be set back, unlike the modification time.
    changed = max(os.stat(source).st_mtime_ns, os.stat(source).st_ctime_ns)
    return os.stat(cache).st_mtime_ns < changed + SETTLED_NS
