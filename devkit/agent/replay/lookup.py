"""Looks a failure up where workers keep them: here redis is imported already, and there it takes a while."""

import base64
from typing import Any

from ...model.failure import Unreadable
from ...store.failures import open_store
from ...store.records import StoreError, newest_run


def found(word: str, places: "list[str]") -> "dict[str, Any]":
    """{"failure", "body"} of the only task whose id begins like this; empty where devkit had better look itself."""
    try:
        stores = [open_store(place) for place in places]
        ids = {task_id for store in stores for task_id in store.ids(word)}
        if word not in ids and len(ids) != 1:
            return {}
        task_id = word if word in ids else ids.pop()
        failure = newest_run([run for store in stores for run in store.attempts(task_id)])
    except (StoreError, Unreadable):
        return {}
    body = None if failure is None or failure.body is None else base64.b64encode(failure.body).decode()
    return {"failure": failure.to_wire(), "body": body} if failure else {}
