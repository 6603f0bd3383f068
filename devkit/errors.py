"""Every error a user can meet: what was wrong, where devkit looked, what mends it.

Raise one of these wherever the cause is known. Only `devkit.cli` turns them into text and an exit code.
"""

from collections.abc import Sequence
from difflib import get_close_matches


class DevkitError(Exception):
    """The thing itself failed: a service did not start, a task failed (exit code 1)."""

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        looked: Sequence[str] = (),
        excerpt: str = "",
        mend: Sequence[str] = (),
    ) -> None:
        """`what` was wrong, the places where devkit `looked`, an `excerpt` (a traceback, a service's last
        lines) and what would `mend` it, one way a line."""
        super().__init__(what)
        self.what = what
        self.looked = tuple(looked)
        self.excerpt = excerpt
        self.mend = tuple(mend)


class UsageError(DevkitError):
    """Wrong usage, or nothing of that name (exit code 2)."""

    exit_code = 2


class AnothersError(DevkitError):
    """What answers belongs to another project: no change of the code mends that (exit code 1)."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`"; did you mean 'x'?"` for the close matches among `known`, else an empty string."""
    matches = get_close_matches(word, known, n=3, cutoff=0.6)
    if not matches:
        return ""
    return "; did you mean " + " or ".join(f"'{match}'" for match in matches) + "?"
