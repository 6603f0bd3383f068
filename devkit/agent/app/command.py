"""Celery's command; before 5.2.6 it asks pkg_resources for plugins, which setuptools, from 82 on, has no more."""

import importlib.metadata
import sys
import types

import celery

from ..say import say

try:
    from celery.bin.celery import main
except ModuleNotFoundError as error:
    if error.name != "pkg_resources":
        raise
    stand_in = types.ModuleType("pkg_resources")
    vars(stand_in)["iter_entry_points"] = lambda group: importlib.metadata.entry_points(group=group)
    sys.modules["pkg_resources"] = stand_in
    try:
        from celery.bin.celery import main
    finally:
        del sys.modules["pkg_resources"]  # nobody else is to take it for the real one
    say(f"devkit: Celery {celery.__version__} starts without pkg_resources here; by itself it needs setuptools<82")

__all__ = ["main"]
