"""What must not leave this machine with a failure: values under secret names, wherever else they show, and passwords
in URLs."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from devkit.errors import UsageError
from devkit.model.secret import MASK, is_secret

_SCHEME = re.compile(r"(?:Bearer|Basic|Token|ApiKey)\s+", re.I)
_URL = re.compile(r"(?<=://)([^\s:/?#@'\"]*):[^\s/'\"]*@")
SHORTEST = 4  # shorter ones are in every other word
LONGEST = 1000  # of what a pattern is made of
# Text for people is cut in the middle; so what is left of a long secret is looked for in pieces, from both ends.
PIECE, PIECES = 12, 10
WORK = 10**10  # characters times secrets: about half a minute


def hide_passwords(text: str) -> str:
    """The text without the passwords of URLs in it."""
    return _URL.sub(rf"\1:{MASK}@", text) if "://" in text else text


class Mask:
    """Masks first by name, then each other occurrence of what that masked; `names` lists what changed."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self._found: set[str] = set()
        self._long: list[str] = []
        self._pattern: re.Pattern[str] | None = None

    def by_name(self, value: Any, path: str, name: object = "") -> Any:
        """The JSON value of this name, without what is under secret names."""
        if is_secret(name):
            return self._masked(value, path)
        if isinstance(value, dict):
            return {key: self.by_name(item, f"{path}.{key}", key) for key, item in value.items()}
        if isinstance(value, list):
            return [self.by_name(item, f"{path}[]") for item in value]
        return value

    def _masked(self, value: Any, path: str) -> Any:
        if value is None or isinstance(value, bool) or value in ("", MASK):
            return value  # there is nothing to know
        self.names[path] = None
        self._found.update(_leaves(value))
        return MASK

    def look_for_found(self, size: int) -> None:
        """From now on `everywhere` masks what `by_name` did, in about `size` characters. Raises UsageError."""
        texts = {text for secret in self._found for text in _spellings(secret) if len(text) >= SHORTEST}
        if len(texts) * size > WORK:
            raise UsageError(
                f"{len(self._found)} secret values are too many to look for all of them",
                mend=["save the case as it is, for your eyes only: --with-secrets"],
            )
        longest_first = sorted(texts, key=len, reverse=True)
        self._long = [text for text in longest_first if len(text) > LONGEST]
        if texts:
            self._pattern = re.compile(f"(?:{'|'.join(map(_alone, longest_first[len(self._long) :]))})+")

    def text(self, text: str) -> str:
        """A text without secrets."""
        for secret in self._long:
            text = text.replace(secret, MASK)
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return hide_passwords(text)

    def everywhere(self, value: Any, path: str) -> Any:
        """The JSON value without secrets in any text of it."""
        if isinstance(value, str):
            hidden = self.text(value)
            if hidden != value:
                self.names[path] = None
            return hidden
        if isinstance(value, dict):
            return {self.text(key): self.everywhere(item, f"{path}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self.everywhere(item, f"{path}[]") for item in value]
        return value


def _leaves(value: Any) -> Iterator[str]:
    """The texts and numbers in a JSON value, as texts."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "__type__":  # kombu's name for what the value is
                yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
        if scheme := _SCHEME.match(str(value)):  # of an Authorization header; the code knows only what follows
            yield str(value)[scheme.end() :]


def _spellings(secret: str) -> Iterator[str]:
    """The ways in which a value is written in texts."""
    written = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    for text in written:
        yield text
        if len(text) > 2 * PIECE:
            ends = (text[: PIECE * PIECES], text[-(len(text) // PIECE * PIECE) :][-PIECE * PIECES :])
            yield from (end[at : at + PIECE] for end in ends for at in range(0, len(end) - PIECE + 1, PIECE))
    encodable = secret.encode(errors="replace")
    yield quote(encodable, safe="")
    yield quote_plus(encodable)


def _alone(text: str) -> str:
    """A pattern for the text; for a number, not as a part of another one."""
    return rf"(?<![\w.]){re.escape(text)}(?!\w)" if re.fullmatch(r"[\d.]+", text) else re.escape(text)
