"""Which file of this machine a container has at which path: what an image copies, what compose mounts."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from devkit.settings.evidence.dockerfile import Copy


@dataclass(frozen=True)
class Places:
    """Pairs of a path here and its path inside, the one that counts first: a mount hides what was copied."""

    pairs: Sequence[tuple[Path, str]] = ()

    def outside(self, inside: str) -> Path | None:
        """Where a path of the container's lies on this machine; None if nobody can tell."""
        wanted = PurePosixPath(posixpath.normpath(inside))
        for here, place in sorted(self.pairs, key=lambda pair: -len(PurePosixPath(pair[1]).parts)):
            if wanted.is_relative_to(place):
                found = here / wanted.relative_to(place)
                if found.exists():
                    return Path(os.path.normpath(found))
        # /code, where only app/ was copied to /code/app: it is what has app/ here, too. Code tells the most.
        for here, place in sorted(self.pairs, key=lambda pair: not _is_code(pair[0])):
            if PurePosixPath(place).is_relative_to(wanted) and (_is_code(here) or wanted != PurePosixPath("/")):
                below = PurePosixPath(place).relative_to(wanted).parts
                if here.parts[-len(below) :] == below and here.exists():
                    return here.parents[len(below) - 1]
        return None


def _is_code(path: Path) -> bool:
    return path.suffix == ".py" or path.is_dir()


def places(mounts: Iterable[tuple[Path, str]], copies: Iterable[Copy], context: Path | None) -> Places:
    """For a container of an image that is built from `context`, and has these mounts."""
    copied = [pair for copy in copies for pair in _pairs(copy, context)] if context else []
    return Places((*mounts, *reversed(copied)))


def _pairs(copy: Copy, context: Path) -> Iterator[tuple[Path, str]]:
    """A folder's content is copied, a file is itself."""
    for source in copy.sources:
        head, star, _ = source.partition("*")
        here = Path(os.path.normpath(context / (posixpath.dirname(head) if star else source).lstrip("/")))
        if star or here.is_dir():
            yield here, copy.target
        elif here.is_file():
            yield here, posixpath.join(copy.target, here.name) if copy.into else copy.target
