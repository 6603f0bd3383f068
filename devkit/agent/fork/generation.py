"""One start of the worker or of the API with the code as it is now."""

import gc
import os
import sys
from typing import TYPE_CHECKING

from ...model.wire import GenerationNews
from ..app.load import Problem
from ..pipes import Notify, Orders
from .preload import Preload, is_own

if TYPE_CHECKING:
    from typing import Unpack

MANY = 20
MESSAGE_CHARACTERS = 300


class ThisGeneration:
    """This process as a generation: its number, its orders, and whom to tell."""

    def __init__(self, number: int, notify: Notify, orders: Orders, preload: Preload) -> None:
        self.number = number
        self.orders = orders
        self._notify = notify
        self._preload = preload

    def tell(self, **news: "Unpack[GenerationNews]") -> None:
        """Tell devkit something about this generation."""
        self._notify.tell(generation=self.number, **news)

    def imported(self) -> None:
        """The project is imported, and stays: no collection need look at that again, here or in a pool's children."""
        gc.freeze()
        gc.enable()

    def live(self) -> None:
        """It consumes, or answers: the one before may stop."""
        self.tell(live=True, sources=self._sources())
        self._preload.learn()

    def failed(self, problem: Problem) -> None:
        """Its code cannot be used; ends the process."""
        report = problem.report.copy()
        text = report.pop("traceback", "")
        if "message" in report:
            report["message"] = report["message"][:MESSAGE_CHARACTERS]
        self.tell(failed=report, text=text)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)

    def stale(self) -> bool:
        """Whether it was told to stop before it got anywhere."""
        return self.orders.waiting()

    def _sources(self) -> "list[str]":
        """The packages' folders, and modules, outside the working directory that are the user's own code."""
        here = os.getcwd() + os.sep
        found: set[str] = set()
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if "." not in name and is_own(module) and not file.startswith(here):
                file = os.path.realpath(file)
                found.add(os.path.dirname(file) if hasattr(module, "__path__") else file)
        return sorted(found)[:MANY]
