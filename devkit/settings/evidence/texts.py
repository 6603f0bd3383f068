"""Commands in texts for people: code blocks of README files and documentation."""

import re
from collections.abc import Iterator
from pathlib import Path

from devkit.settings.evidence.commands import MENTION
from devkit.settings.evidence.piece import Piece

_FENCE = re.compile(r"\s*(?:>\s*)?(```+|~~~+)\s*([\w+-]*)")
_PROMPT = re.compile(
    r"^\s*(?:\([\w. -]+\)\s*)?(?:[\w@~/:.-]*[$%\u276f\u279c]|PS [^>]*>|>|#(?=\s+(?:celery|uvicorn|python|docker)))\s+"
)
_NO_SHELL = frozenset(("python", "py", "yaml", "yml", "json", "toml", "ini", "dockerfile", "diff", "html", "js", "ts"))
_INLINE = re.compile(r"`([^`\n]+)`")


def markdown(_file: Path, text: str) -> Iterator[Piece]:
    """Of Markdown and reStructuredText: fenced blocks, indented ones, then what stands within a sentence."""
    inline: list[Piece] = []
    block: list[str] = []
    first, fence, skip = 0, "", False
    for number, line in enumerate([*text.split("\n"), ""], 1):
        found = _FENCE.match(line)
        if found and (not fence or found[1].startswith(fence)):
            yield from _block(block, first, skip)
            block, fence, skip = [], "" if fence else found[1], found[2].lower() in _NO_SHELL
        elif fence or line.startswith(("    ", "\t", "   ")) or (not line.strip() and block):
            first = first if block else number
            block.append(line)
        else:
            yield from _block(block, first, skip)
            block, skip = [], False
            if line.lstrip().startswith("$ "):
                block, first = [line], number
            inline += (Piece(code, number) for code in _INLINE.findall(line) if " " in code and MENTION.search(code))
    yield from _block(block, first, skip)
    yield from inline


def _block(lines: list[str], first: int, skip: bool) -> Iterator[Piece]:
    """One shell sees all its lines: what `cd` does in the first counts in the next."""
    if lines and not skip and any(map(MENTION.search, lines)):
        yield Piece("\n".join(_PROMPT.sub("", line) for line in lines), first)
