"""An order of devkit's for a process of its own: a line on standard input, what is told goes to standard output."""

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ...model.lines import Lines, line, write
from .load import Problem

M = TypeVar("M")


def take_order(kind: "type[M]", obey: "Callable[[M, Callable[[object], None]], None]") -> None:
    """Take the order, and obey it; each call of `tell` is one line of JSON, and so is a Problem."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # devkit, which gets the same Ctrl-C, ends this process
    order = Lines(partial(os.read, 0), kind).next()
    assert order is not None
    # What the project prints on import is not ours to tell: it goes to standard error.
    answers = os.dup(1)
    os.dup2(2, 1)

    def tell(news: object) -> None:
        write(answers, line(news, default=repr))

    try:
        obey(order, tell)
    except Problem as problem:
        tell(problem.report)
