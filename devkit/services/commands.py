"""What every service needs to know of the project, and how one that is a Python program is started; its ports."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from devkit.model.wire import AppPlace
from devkit.settings.discover import AppRef

AGENT = Path(__file__).parents[1] / "agent"


def app_in(app: AppRef, env: Mapping[str, str]) -> AppPlace:
    """The app, for a process that gets these variables besides its own."""
    return {"module": app.module, "attribute": app.attribute, "cwd": str(app.folder), "env": with_paths(app, env)}


def with_paths(app: AppRef, env: Mapping[str, str]) -> dict[str, str]:
    """These variables, and in PYTHONPATH first the folders that the app imports from beside its own."""
    paths = [*map(str, app.paths), *filter(None, [env.get("PYTHONPATH")])]
    return {**env, "PYTHONPATH": os.pathsep.join(paths)} if app.paths else dict(env)


def agent_argv(python: str, name: str, ahead: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The command that starts a service's Python program early; `ahead` is what it imports while it waits."""
    return (python, str(AGENT), "launch", name, ",".join(ahead))


def zygote_argv(python: str, kind: str, learned: str, never: str = "", lends: str = "") -> tuple[str, ...]:
    """The command that starts a zygote for generations of this kind, "worker" or "api".

    `learned` is the file of the modules that it imports ahead; empty: none at all. `never` names packages that it
    must not import, with commas. `lends` is the socket at which it lends forks to `devkit replay`.
    """
    return (python, str(AGENT), "zygote", kind, learned, never, lends)


def devkit_argv(command: str, options: Sequence[str]) -> tuple[str, ...]:
    """The command that runs `devkit COMMAND` in a process of its own.

    -P: the working directory, which is the project's, does not come before what devkit has to import.
    """
    return (sys.executable, "-P", "-m", "devkit", command, *options)
