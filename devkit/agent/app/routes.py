"""The way out of a network of containers: what the app calls redis:6379 may have another address on this machine.

DEVKIT_ROUTES says which, as JSON: {"redis:6379": "127.0.0.1:16379"}. devkit sets it for its own processes, never for a
worker: so an app that has such an address in its code finds its broker from here as well.
"""

import json
import os
from contextlib import suppress
from typing import Any

from ...model.address import rerouted

VARIABLE = "DEVKIT_ROUTES"
SETTINGS = ("broker_url", "broker_read_url", "broker_write_url", "result_backend")


def take_routes(app: Any) -> None:
    """Let the app's broker and result backend be reached by them."""
    routes = json.loads(os.environ.get(VARIABLE) or "{}")
    if not routes:
        return

    def here(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [here(one) for one in value]
        return rerouted(value, lambda host, port: routes.get(f"{host}:{port}")) if isinstance(value, str) else value

    before = {name: getattr(app.conf, name) for name in SETTINGS}
    changed = {name: new for name, value in before.items() if (new := here(value)) != value}
    if not changed:
        return
    app.conf.update(changed)
    # What the app's code has made already of what was there before.
    app._backend_cache = None
    with suppress(AttributeError):
        del app._local.backend
