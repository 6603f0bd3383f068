"""Which of the app's addresses lead to what devkit embedded for another project on this machine.

Sharing that would let one project's worker take the other's tasks. DEVKIT_OURS says, as JSON, where what devkit embeds
for this project keeps its "data", and which URLs are "settled": asked for, or given to the services by its stack.
"""

import json
import os
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ..model.embedded import AMQP, anothers_project

VARIABLE = "DEVKIT_OURS"


def anothers(app: Any) -> "dict[str, list[str]]":
    """The URLs, by what they are to the app, each with the folder of the project that it belongs to."""
    ours = json.loads(os.environ.get(VARIABLE) or "{}")
    if not ours:
        return {}
    settled = [one for url in ours["settled"] for one in url.split(";")]
    found = {}
    for what, values in _addresses(app).items():
        for url in dict.fromkeys(url for value in values for url in _urls(value)):
            if not _is_settled(url, settled) and (project := anothers_project(url, ours["data"])):
                found[what] = [url, project]
    return found


def _addresses(app: Any) -> "dict[str, list[Any]]":
    try:
        brokers = [app.conf.broker_read_url or "amqp://", app.conf.broker_write_url or "amqp://"]
        backend = app.conf.result_backend
        if backend == "redis":  # as celery.backends.redis takes it
            backend = f"redis://{app.conf.get('redis_host') or 'localhost'}:{app.conf.get('redis_port') or 6379}"
        return {"broker": brokers, "result backend": [backend]}
    except Exception:  # whoever needs the configuration says what is wrong with it
        return {}


def _urls(value: Any) -> "list[str]":
    values = value if isinstance(value, (list, tuple)) else [value]
    return [url for one in values if isinstance(one, str) for url in one.split(";")]


def _is_settled(url: str, settled: "list[str]") -> bool:
    """Who asks for a RabbitMQ without a port asks for any: that of another project is not meant."""
    with suppress(ValueError):
        parts = urlsplit(url)
        return url in settled and (parts.scheme not in AMQP or parts.port is not None)
    return False
