"""What a project knows of its failed tasks: what its workers recorded, and what stored results still tell.

The records are found without importing the project where its workers run, or where their store is named.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from devkit.errors import DevkitError, UsageError
from devkit.model.embedded import anothers_project
from devkit.model.failure import Failure, Unreadable
from devkit.settings.evidence.compose import has_compose_file
from devkit.settings.load import Settings
from devkit.store.failures import REDIS, FailureStore, choose, open_store
from devkit.store.places import Elsewhere, Places
from devkit.store.records import StoreError, newest_run

if TYPE_CHECKING:
    from devkit.services.failures.results import Asker, Progress, Results
    from devkit.services.reach.routes import Routes

SHORTEST_ID = 4
Look = Callable[[str, list[str]], Failure | None]
FindRoutes = Callable[[Settings], "Routes | None"]
MOST_LISTED = 10


class NoSuchFailure(UsageError):  # noqa: N818 - it says what there is not
    """No failed task has such an id."""


class UnreadableFailure(DevkitError):  # noqa: N818 - it says what the record is
    """A record that is there, and cannot be read."""


@dataclass(frozen=True)
class Found:
    """The failures that were looked for, the newest first.

    `results` tells of the stored results that were read for it, `problem` why they could not be. Where nothing was
    found, `tasks` names those of which there are records.
    """

    failures: list[Failure]
    results: "Results | None" = None
    problem: DevkitError | None = None
    tasks: tuple[str, ...] = ()


class Failures:
    """One project's."""

    def __init__(self, settings: Settings, find_routes: "FindRoutes | None" = None) -> None:
        """`find_routes` looks for a stack in containers, if the project may have one (default: that of docker)."""
        self._settings = settings
        self._find_routes = find_routes
        self._folder = str(settings.paths.failures)

    @property
    def where(self) -> str:
        """The stores of records, for people to read."""
        return " and ".join(store.where for store in self._stores)

    @property
    def unreadable(self) -> int:
        """How many records the last listing passed over."""
        return sum(store.unreadable for store in self._stores)

    def newest(
        self, task: str = "", since: float = 0.0, limit: int | None = 20, *, bodies: bool = False
    ) -> list[Failure]:
        """The records of failures, the newest first; of the task of that name or dotted suffix.

        Raises UsageError for a suffix of several tasks, DevkitError where the store does not answer.
        """
        found: list[Failure] = []
        for store in self._stores:
            with _answering(store):
                found += store.newest(task=task, since=since, limit=limit, bodies=bodies)
        return _of_one_task(merged(found, limit), task)

    def search(
        self,
        task: str,
        since: float,
        limit: int,
        *,
        results: bool,
        allow_pickle: bool,
        bodies: bool,
        progress: "Progress",
    ) -> Found:
        """Look through the records and, with `results` or where there are none at all, through stored results.

        Raises UsageError for a suffix of several tasks, DevkitError where something does not answer.
        """
        found = self.newest(task, since, limit, bodies=bodies)
        recorded = () if found else tuple(sorted({failure.task for failure in self.newest(limit=None)}))
        if not results and (found or recorded):
            return Found(found, tasks=recorded)
        try:
            stored = self._asker.newest(task, since, limit, allow_pickle=allow_pickle, progress=progress)
        except DevkitError as error:
            if results:
                raise
            return Found(found, problem=error)
        return Found(_of_one_task(merged([*found, *stored.failures], limit), task), stored, tasks=recorded)

    def find(self, word: str, *, allow_pickle: bool = False, look: Look | None = None) -> Failure:
        """The failure of the task whose id begins like this: its newest run that counts, else the newest of all.

        `look` is asked first for what is in the stores; it need not know, but may be quicker.
        Raises UsageError where there is none or more than one, UnreadableFailure for a record that cannot be read.
        """
        if len(word) < SHORTEST_ID:
            raise UsageError(
                f"'{word}' is too short for the beginning of an id", mend=[f"give {SHORTEST_ID} characters or more"]
            )
        if look and (places := self._known_places()) and (failure := look(word, places)):
            return failure
        if (found := _only(word, self.ids(word))) and (failure := newest_run(self.attempts(found))):
            return failure
        looked, mend = [f"the records in {self.where}"], ["see them: devkit failures"]
        try:
            ids, failure, where = self._asker.beginning(word, allow_pickle=allow_pickle)
        except DevkitError as error:
            looked.append(f"stored results, which cannot be read: {error.what}")
            mend += error.mend
        else:
            if _only(word, ids) and failure:
                return failure
            looked.append(f"the results in {where}")
        raise NoSuchFailure(f"there is no failed task whose id begins with '{word}'", looked=looked, mend=mend)

    def attempts(self, task_id: str) -> list[Failure]:
        """All recorded runs of a task, the oldest first, with their bodies. Raises UnreadableFailure."""
        found: list[Failure] = []
        for store in self._stores:
            with _answering(store):
                try:
                    found += store.attempts(task_id)
                except Unreadable as error:
                    raise UnreadableFailure(
                        f"the record of {task_id} cannot be read: {error}", looked=[store.where]
                    ) from None
        return sorted(found, key=lambda failure: failure.failed_at)

    def ids(self, prefix: str) -> list[str]:
        """The ids in the records that begin so, the newest first."""
        found: list[str] = []
        for store in self._stores:
            with _answering(store):
                found += store.ids(prefix)
        return list(dict.fromkeys(found))

    def quick_ids(self, prefix: str) -> list[str]:
        """The same for completion: none where the app would have to be asked for the store."""
        return self.ids(prefix) if self._known_places() else []

    @cached_property
    def _stores(self) -> list[FailureStore]:
        try:
            return [open_store(where) for where in self._known_places() or [self._asker.place(self._folder)]]
        except StoreError as error:
            raise UsageError(f"no store of failures: {error}", mend=["correct --result-backend or --broker"]) from None

    def _known_places(self) -> list[str]:
        """Where the records are, as far as that is known without importing the project."""
        options = self._settings.options
        asked = choose(options.broker, options.result_backend, self._folder)
        if "flag" in (self._settings.sources["broker"], self._settings.sources["result_backend"]):
            return [self._here(asked)]
        places = Places(self._folder)
        living = [where for where in places.living() if self._is_ours(where)] or self._in_containers(places.elsewhere())
        return living or ([self._here(asked)] if options.result_backend else [])

    def _is_ours(self, where: str) -> bool:
        """Whether it is not in the embedded Redis of another project, but by the will of whoever started the stack."""
        if not anothers_project(where, str(self._settings.paths.data)):
            return True
        from devkit.services.project.target import given_brokers

        return where in given_brokers(self._settings)[0].values()

    def _in_containers(self, notes: Sequence[Elsewhere]) -> list[str]:
        """Where workers keep them that run in containers, as this machine reaches that."""
        routes = self._routes if notes else None
        found = (routes.here(note.where) for note in notes if routes.runs(note.container)) if routes else ()
        return list(dict.fromkeys(found))

    def _here(self, where: str) -> str:
        """A place that was named: the Redis's name may be that of a container."""
        routes = self._routes if where.startswith(REDIS) else None
        return routes.here(where) if routes else where

    @cached_property
    def _routes(self) -> "Routes | None":
        if not has_compose_file(self._settings.root):
            return None
        from devkit.services.reach.routes import find_routes

        return (self._find_routes or find_routes)(self._settings)

    @cached_property
    def _asker(self) -> "Asker":
        from devkit.services.failures.results import Asker

        return Asker(self._settings)


def merged(failures: list[Failure], limit: int | None) -> list[Failure]:
    """The newest first, one for each task's id; what was recorded knows more than a result."""
    best: dict[str, Failure] = {}
    for failure in sorted(failures, key=lambda one: (one.source == "recorded", one.failed_at)):
        best[failure.id] = failure
    return sorted(best.values(), key=lambda failure: -failure.failed_at)[:limit]


def _of_one_task(failures: list[Failure], word: str) -> list[Failure]:
    """Raises UsageError if they are of several tasks whose names end in this word, and none that has it for a name."""
    names = sorted({failure.task for failure in failures})
    if not word or len(names) < 2:
        return failures
    if word not in names:
        raise UsageError(f"several tasks end in '{word}'", looked=names, mend=["name one of them"])
    return [failure for failure in failures if failure.task == word]


def _only(word: str, ids: list[str]) -> str:
    """The one id, or empty where there is none. Raises UsageError where there are more, and none is the word itself."""
    if len(ids) < 2 or word in ids:
        return word if word in ids else "".join(ids)
    more = [f"and {len(ids) - MOST_LISTED} more"] if len(ids) > MOST_LISTED else []
    raise UsageError(f"several ids begin with '{word}'", looked=[*ids[:MOST_LISTED], *more], mend=["give more of it"])


@contextmanager
def _answering(store: FailureStore) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise DevkitError(
            f"the store of failures {store.where} does not answer: {error}",
            mend=["start the stack: devkit up", "or name another: --broker URL, --result-backend URL"],
        ) from error
