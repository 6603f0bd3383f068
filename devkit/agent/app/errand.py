"""An order of devkit's for a process of its own: standard input brings it, standard output takes what is told."""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from .load import Problem

Tell = Callable[..., None]


def take_order(obey: "Callable[[dict[str, Any], Tell], None]") -> None:
    """Take the order, and obey it; each call of `tell` is one line of JSON, and so is a Problem."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # devkit, which gets the same Ctrl-C, ends this process
    order = json.load(sys.stdin)
    # What the project prints on import is not ours to tell: it goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(**message: Any) -> None:
        answers.write(json.dumps(message, default=repr) + "\n")
        answers.flush()

    try:
        obey(order, tell)
    except Problem as problem:
        tell(**problem.report)
