"""What generations are of, and whom their handover tells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from devkit.errors import DevkitError
from devkit.model.wire import ApiOrder, State, Trouble, WorkerOrder
from devkit.reload.generation import ZygoteHandle


class Surroundings(Protocol):
    """What is watched beside the project: code of the user's elsewhere, and what is installed."""

    def sources(self, paths: Sequence[str]) -> None: ...
    def installed(self, folders: Sequence[str]) -> None: ...


class Announcer(Protocol):
    """Tells people, and whoever supervises; every method returns at once."""

    def notice(self, text: str) -> None: ...
    def problem(self, error: DevkitError) -> None: ...
    def progress(self, generation: int, state: State, note: str) -> None: ...


@dataclass
class Program:
    """What runs: `make_zygote` starts the process that generations come from, `order` is what generation N is to do,
    `problem` puts into words why the code cannot be used.

    `resumes`: a drained generation can take over again. `drain_s`: how long what runs may go on.
    """

    make_zygote: Callable[[], ZygoteHandle]
    order: Callable[[int], WorkerOrder | ApiOrder]
    problem: Callable[[Trouble], DevkitError]
    resumes: bool
    drain_s: float
    spawn: bool = False
