"""Waits for the pause that is meant: of what a word names, of any task, or of the very one that was sent."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from devkit.errors import DevkitError
from devkit.model.editor import in_editor
from devkit.model.wire import SendNews
from devkit.services.debug.find import PausedTasks
from devkit.services.debug.named import LIKE_AN_ID, matching
from devkit.services.debug.paused import Paused
from devkit.services.debug.sending import Sending

POLL_S = 0.005
# Looking for those of plain workers means looking through all processes.
PLAIN_POLL_S = 1.0
# So long nobody is told that nothing is paused while containers are still to tell.
FIRST_LOOK_S = 1.0


@dataclass
class NextPause:
    """The next one, and which ones it is not.

    `say` takes what people are told; `idle` is done when there is nothing but to wait.
    """

    tasks: PausedTasks
    timeout_s: float | None
    say: Callable[[str], None]
    idle: Callable[[], object]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    _known: set[tuple[str, float, str]] = field(default_factory=set, init=False)
    _told: bool = field(default=False, init=False)  # that there is something to wait for
    _plain_again: float = field(default=0.0, init=False)

    def must_be_new(self) -> bool:
        """From now on only what pauses after this is meant. Returns whether something is paused already."""
        self.tasks.containers.look()
        self._known = {one.key for one in self.tasks.ours() + self.tasks.plain()}
        return bool(self._known)

    def is_over(self, paused: Paused) -> None:
        """This one is not meant once more. One of a plain rdb looks like the next one of its process."""
        if not paused.plain:
            self._known.add(paused.key)

    def of(self, word: str | None) -> list[Paused]:
        """Those that are meant, as soon as there are any: of several, somebody has to choose.

        Raises DevkitError when the time is over, or where nothing can be seen in the one place to look.
        """
        containers = self.tasks.containers
        if containers.only:
            containers.look()
            containers.settle()
        found = self._wait(
            lambda: self._find(word), f"no {word or 'task'} is paused; waiting for one (Ctrl-C ends the wait)"
        )
        # Who is to choose gets all that there is to choose from, and nothing that containers left behind.
        if len(found) > 1 and any(one.there for one in found):
            containers.look()
        containers.settle()
        return self._find(word) or found

    def of_sent(self, sending: Sending, hear: Callable[[SendNews], None]) -> Paused | None:
        """The task that was sent; None when it has ended. `hear` takes its news. Raises DevkitError."""

        def look() -> list[Paused]:
            for news in sending.news(POLL_S):
                hear(news)
            if not sending.sent:
                self._known |= {one.key for one in self.tasks.plain_in_containers()}
            if not sending.sent or sending.done:
                return []
            ours = self._new(self.tasks.ours())
            return [one for one in ours if one.session.task_id == sending.task_id] or self._plain()

        found = self._wait(look, until=lambda: sending.done, pause_s=0.0)  # it waits for the news
        return found[0] if found else None

    def _wait(
        self,
        look: Callable[[], list[Paused]],
        notice: str = "",
        *,
        until: Callable[[], bool] = lambda: False,
        pause_s: float = POLL_S,
    ) -> list[Paused]:
        containers, began = self.tasks.containers, self.clock()
        if not (found := look()):
            containers.look()
            self.idle()
        while not found:
            looked = containers.has_looked or self.clock() > began + FIRST_LOOK_S
            if (found := look()) or until():
                break
            if looked and notice and not self._told:
                self.say(notice)
                self._told = True
            if self.timeout_s is not None and self.clock() > began + self.timeout_s:
                raise self._nothing_paused(self.timeout_s)
            containers.check()
            self.sleep(pause_s)
        return found

    def _find(self, word: str | None) -> list[Paused]:
        """Those that are meant. Of a plain rdb nobody knows which task is in it: it may be any."""
        found = self._new(self.tasks.ours())
        # Who waits for an editor is shown only to whoever asks for this very one.
        found = [one for one in found if not in_editor(one.session)] if word is None else matching(found, word)
        if found:
            return found
        plain = self._plain()
        return matching(plain, word) if word is not None and LIKE_AN_ID.fullmatch(word) else plain

    def _plain(self) -> list[Paused]:
        found = self.tasks.plain_in_containers()
        if self.clock() >= self._plain_again:
            self._plain_again = self.clock() + PLAIN_POLL_S
            found += self.tasks.plain()
        return self._new(found)

    def _new(self, paused: Iterable[Paused]) -> list[Paused]:
        return [one for one in paused if one.key not in self._known]

    def _nothing_paused(self, timeout_s: float) -> DevkitError:
        return DevkitError(
            f"nothing paused within {timeout_s:g} s",
            looked=self.tasks.looked(),
            mend=[
                "pause a task without editing code: devkit debug --break FILE:LINE (or TASK)",
                "send one: devkit debug --run TASK",
                "see whether a worker runs: devkit status",
            ],
        )
