"""What a word of the command line names: a task, or one that is paused."""

import re
from collections.abc import Collection, Sequence

from devkit.errors import UsageError, did_you_mean
from devkit.model.text import is_named, ways_to_name
from devkit.services.debug.paused import Paused
from devkit.settings.paths import Paths
from devkit.stack.control import ask_status

LIKE_AN_ID = re.compile(r"[0-9a-f][0-9a-f-]{3,}|pid-\d+")
SHORTEST_ID = 4


def matching(paused: Collection[Paused], word: str) -> list[Paused]:
    """Those of the task of that name or dotted suffix, or of the id that begins like this.

    Raises UsageError for the beginning of several ids.
    """
    named = [one for one in paused if is_named(one.session.task, word)]
    found = [one for one in paused if len(word) >= SHORTEST_ID and one.session.id.startswith(word)]
    if exact := [one for one in found if one.session.id == word]:
        return exact
    if len({one.session.task_id or one.session.id for one in found}) > 1:
        raise UsageError(
            f"several ids begin with '{word}'", looked=[one.session.id for one in found], mend=["give more of it"]
        )
    return named or found


def check_word(word: str, paths: Paths) -> None:
    """Raises UsageError for what is neither an id nor one of the running stack's tasks, or is several of them."""
    if running := ask_status(paths.socket):
        check_among(running.tasks, word, str(paths.sessions))


def check_among(tasks: Sequence[str], word: str, sessions: str) -> None:
    """The same for these tasks; without any, every word may be one. `sessions` is where paused ones are known."""
    if not tasks or LIKE_AN_ID.fullmatch(word) or word in tasks:
        return
    matches = [name for name in tasks if is_named(name, word)]
    if len(matches) > 1:
        raise UsageError(f"several tasks end in '{word}'", looked=matches, mend=["name one of them"])
    if not matches:
        raise UsageError(
            f"there is no task and no paused task's id '{word}'{did_you_mean(word, ways_to_name(tasks))}",
            looked=[f"the running stack's tasks: {', '.join(tasks)}", f"the sessions in {sessions}"],
        )
