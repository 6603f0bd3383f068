"""Celery's command, with its plugins such as Flower.

Before 5.2.5 it finds those by pkg_resources, which setuptools has no more from 82 on, and which from 66 on cannot read
what Celery 5.1 says it requires. What finds them as well takes its place while the command is imported, and no longer.
"""

import importlib.metadata
import sys
import types

import celery

if celery.VERSION < (5, 2, 5):
    stand_in = types.ModuleType("pkg_resources")
    vars(stand_in)["iter_entry_points"] = lambda group: importlib.metadata.entry_points(group=group)
    before = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = stand_in
    try:
        from celery.bin.celery import main
    finally:
        del sys.modules["pkg_resources"]
        if before is not None:
            sys.modules["pkg_resources"] = before
else:
    from celery.bin.celery import main

__all__ = ["main"]
