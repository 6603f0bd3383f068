"""Small projects as strangers write them, and how each is played through devkit.

`tests/projects/THEME/NAME/` is the project; its play.toml says what happens in it. The default is nothing but
`devkit up -d`: whatever a project needs beyond that is under [needs], with the reason.
`python -m tests.plays` writes the list into docs/projects.md; a test says when that is out of date.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "projects"
PAGE = FOLDER.parents[1] / "docs" / "projects.md"
BEGIN, END = "<!-- written by `python -m tests.plays` -->\n", "<!-- written -->\n"
THEMES = {
    "layouts": "Where the code lies",
    "starts": "How it is started",
    "brokers": "Brokers, results, queues and variables",
    "tasks": "Kinds of tasks",
    "frameworks": "Django and Flask",
}


@dataclass(frozen=True)
class Call:
    """A task and its arguments. What is expected is its `result`, the end of its `error`, or what devkit `says`."""

    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    says: str = ""
    error: str = ""

    @property
    def typed(self) -> list[str]:
        """The task and its arguments as they are typed."""
        args = ["--args", json.dumps(self.args)] if self.args else []
        return [self.name, *args, *(["--kwargs", json.dumps(self.kwargs)] if self.kwargs else [])]


@dataclass(frozen=True)
class Stop:
    """A breakpoint at the only line of a file that has this text; an expression, and the value that is seen there."""

    file: str
    line: str
    print: str
    shows: str


@dataclass(frozen=True)
class Edit:
    """A change of a file's text; after it the task's new result, or what the worker's log says."""

    file: str
    old: str
    new: str
    result: Any = None
    log: str = ""


@dataclass(frozen=True)
class Also:
    """A further command of devkit's, its exit code, and what it says."""

    command: Sequence[str]
    says: str
    code: int = 0


@dataclass(frozen=True)
class Setup:
    """What no file in a repository can hold for sure: line ends, byte order marks, links, packages that are missing."""

    crlf: Sequence[str] = ()
    bom: Sequence[str] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    without: Sequence[str] = ()


@dataclass(frozen=True)
class Needs:
    """What a project needs beyond plain `devkit up`, why, and what devkit says of it where that is not given."""

    told: str
    why: str
    flags: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    edits: Sequence[Edit] = ()

    @property
    def shown(self) -> str:
        """It as one sees it."""
        given = [f"{name}={value}" for name, value in self.environ.items()]
        return ", ".join(
            [f"`{' '.join(given or self.flags)}`"]
            if given or self.flags
            else [f"`{one.file}` mended" for one in self.edits]
        )


@dataclass(frozen=True)
class Play:
    """One project, and what happens in it."""

    folder: Path
    about: str
    task: Call
    failure: Call
    breakpoint: Stop
    save: Edit
    services: Sequence[str] = ()  # exactly these; empty: those that devkit finds
    flower: bool = False
    pages: Mapping[str, str] = field(default_factory=dict)  # of any of its APIs: a path, and text that is there
    up_says: Sequence[str] = ()
    also: Sequence[Also] = ()
    setup: Setup = field(default_factory=Setup)
    needs: Needs | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def theme(self) -> str:
        return self.folder.parent.name


def read(folder: Path) -> Play:
    """The play of the project in that folder. TypeError when it has a key that none of the above has."""
    told = tomllib.loads((folder / "play.toml").read_text())
    task = Call(**told.pop("task"))
    needs = told.pop("needs", None)
    return Play(
        folder=folder,
        task=task,
        failure=_failure(task, **told.pop("failure")),
        breakpoint=Stop(**told.pop("breakpoint")),
        save=Edit(**told.pop("save")),
        also=[Also(**one) for one in told.pop("also", [])],
        setup=Setup(**told.pop("setup", {})),
        needs=needs and Needs(**{**needs, "edits": [Edit(**one) for one in needs.get("edits", [])]}),
        **told,
    )


def _failure(same: Call, task: str = "", **told: Any) -> Call:
    return Call(name=task or same.name, **told)


@cache
def plays(theme: str) -> tuple[Play, ...]:
    """Every project of a theme."""
    return tuple(read(file.parent) for file in sorted(FOLDER.joinpath(theme).glob("*/play.toml")))


def listed() -> str:
    """All of them as tables, and which need more than `devkit up`."""
    every = [play for theme in THEMES for play in plays(theme)]
    needy = [play for play in every if play.needs]
    return "\n".join(
        [
            f"{len(every) - len(needy)} of {len(every)} run by nothing but `devkit up`. The others:",
            "",
            *_table(("project", "needs", "why"), (_needs(play) for play in needy)),
            *(line for theme in THEMES for line in _section(theme)),
            "",
        ]
    )


def _needs(play: Play) -> tuple[str, ...]:
    assert play.needs
    return (play.name, play.needs.shown, play.needs.why)


def _section(theme: str) -> Iterator[str]:
    yield from ("", f"## {THEMES[theme]}", "")
    yield from _table(("project", "what it is"), ((play.name, play.about) for play in plays(theme)))


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def written(page: str, text: str) -> str:
    """The page with the list in its place."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), listed()))
