"""The arguments of a command line: which are options, which words are their values."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

_LONG = re.compile(r"--[\w-]+")
_SHORT = re.compile(r"-\w")


@dataclass(frozen=True)
class Arguments:
    """The options as pairs of name and value, a switch's is empty; and all other words."""

    options: Sequence[tuple[str, str]]
    words: Sequence[str]

    def value(self, *names: str) -> str:
        """The last value of an option by any of its names; what a shell has yet to fill in counts as none."""
        found = next((value for name, value in reversed(self.options) if name in names), "")
        return "" if is_open(found) else found

    def has(self, *names: str) -> bool:
        return any(name in names for name, _ in self.options)


def arguments(words: Sequence[str], switches: Collection[str]) -> Arguments:
    """`--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`; `switches` take no value."""
    options: list[tuple[str, str]] = []
    plain: list[str] = []
    todo: Iterator[str] = iter(words)
    following = next(todo, None)
    while following is not None:
        word, following = following, next(todo, None)
        name, sign, value = word.partition("=")
        if _LONG.fullmatch(name) and not sign and name not in switches:
            if following is not None and not _is_option(following):
                value, following = following, next(todo, None)
            options.append((name, value))
        elif _LONG.fullmatch(name):
            options.append((name, value))
        elif _SHORT.match(word):
            letters = word[1:]
            while letters and f"-{letters[0]}" in switches:
                options.append((f"-{letters[0]}", ""))
                letters = letters[1:]
            value = letters[1:].removeprefix("=")
            if letters and not value and following is not None and not _is_option(following):
                value, following = following, next(todo, None)
            if letters:
                options.append((f"-{letters[0]}", value))
        elif word not in ("-", "--", "\\"):
            plain.append(word)
    return Arguments(options, plain)


def is_open(text: str) -> bool:
    """Whether a part of it is only known to a shell that runs: `$1`, `$(date)`, `${WORKERS}`."""
    return bool(re.search(r"\$[\w({@*#?!]|`|\{\{|<[\w. -]+>", text))


def _is_option(word: str) -> bool:
    return bool(_LONG.match(word) or _SHORT.match(word)) and not re.fullmatch(r"-\d+", word)
