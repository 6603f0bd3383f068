"""Dockerfiles by any name: what their images run, where, with which variables, and what is copied and installed."""

import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from devkit.settings.evidence.interpolate import expand
from devkit.settings.evidence.variables import Variable, variable
from devkit.settings.evidence.walk import walk
from devkit.settings.files import text_of

# How `devkit init --docker` begins its own, which tells nothing of the project's.
OWN = re.compile(r"# The image that \S+ runs the project in: what it needs is installed, its code is mounted\.")

_NAME = re.compile(r"(docker|container)file.*|.*[._-](docker|container)file", re.IGNORECASE)
_NO_DOCKERFILE = re.compile(r".*\.(dockerignore|md|txt|rst|j2|tmpl|bak|ya?ml|py|sh)", re.IGNORECASE)
_STAGE = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_INSTALL = re.compile(r"\b(?:apt-get|apt|apk|aptitude)\s+(?:-\S+\s+)*(?:install|add)\s+([^&;|\n]*)")
_INSTALL_TAKES_A_VALUE = frozenset(("-o", "-t", "--virtual", "--target-release", "--repository", "-X", "--option"))
_PACKAGE = re.compile(r"[\w.+:-]+(?==|$)")
_REQUIREMENTS = re.compile(r"\b(?:pip[\d.]*|uv pip)\s+(?:install|sync)\b([^&;|\n]*)")


@dataclass(frozen=True)
class Copy:
    """Files of the build context, and where the image has them. `into` says that the target is a folder."""

    sources: tuple[str, ...]
    target: str
    into: bool


@dataclass(frozen=True)
class Stage:
    """One image that a Dockerfile can make: what it has from the stage that it is built upon, and its own."""

    name: str
    image: str
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    entrypoint_line: int = 0
    command_line: int = 0
    environment: Mapping[str, Variable] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    copies: tuple[Copy, ...] = ()
    runs: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, str]:
        return {**self.arguments, **{name: one.value for name, one in self.environment.items()}}


@dataclass(frozen=True)
class Dockerfile:
    """One of them; its last stage is what it makes where nobody asks for another."""

    file: Path
    stages: tuple[Stage, ...]

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements files that are installed, as they are named there."""
        found = (name for run in self._runs() for words in _REQUIREMENTS.findall(run) for name in _required(words))
        return tuple(dict.fromkeys(found))

    @property
    def packages(self) -> tuple[str, ...]:
        """The system's packages that are installed."""
        found = (name for run in self._runs() for words in _INSTALL.findall(run) for name in _packages(words))
        return tuple(dict.fromkeys(found))

    @property
    def environment(self) -> tuple[Variable, ...]:
        return tuple(self.stages[-1].environment.values())

    def _runs(self) -> Iterator[str]:
        return (run for stage in self.stages for run in stage.runs)


def dockerfiles(root: Path) -> tuple[Dockerfile, ...]:
    """Those of this folder and below it, the nearest first; not devkit's own."""
    tree = walk(root.resolve())
    files = [Path(file) for file in tree.launch if is_dockerfile(file.rpartition("/")[2])]
    files.sort(key=lambda file: (tree.is_aside(file), tree.depth(file), str(file)))
    return tuple(found for found in map(read_dockerfile, files) if found)


def is_dockerfile(name: str) -> bool:
    """Whether people give such a name to one: Dockerfile.dev, worker.Dockerfile, Containerfile."""
    return bool(_NAME.fullmatch(name)) and not _NO_DOCKERFILE.fullmatch(name)


@cache
def read_dockerfile(file: Path) -> Dockerfile | None:
    """The one in this file; None if it makes no image, or is devkit's own."""
    text = text_of(file)
    if OWN.match(text):
        return None
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    for keyword, rest, line in _instructions(text):
        if keyword == "FROM" and (found := _STAGE.match(expand(rest, arguments, lambda _: ""))):
            base = next((stage for stage in stages if stage.name == found[1].lower()), None)
            base = base or Stage("", found[1], arguments=arguments)
            stages.append(replace(base, name=(found[2] or "").lower(), runs=()))
        elif keyword == "ARG":
            _argument(rest, stages, arguments)
        elif stages:
            stages[-1] = _with(stages[-1], keyword, rest, file, line)
    return Dockerfile(file, tuple(stages)) if stages else None


def _argument(rest: str, stages: list[Stage], before: dict[str, str]) -> None:
    """`ARG NAME=default`; before the first FROM it counts for all stages."""
    values = stages[-1].values if stages else before
    for word in _split(rest):
        name, sign, text = word.partition("=")
        if sign and stages:
            value = expand(text, values, lambda _: "")
            stages[-1] = replace(stages[-1], arguments={**stages[-1].arguments, name: value})
        elif sign:
            before[name] = expand(text, before, lambda _: "")


def _with(stage: Stage, keyword: str, rest: str, file: Path, line: int) -> Stage:
    """The stage after one more instruction."""
    changes: dict[str, Any] = {}
    match keyword:
        case "WORKDIR":
            folder = expand(rest.strip("\"'"), stage.values, lambda _: "")
            changes = {"workdir": posixpath.normpath(posixpath.join(stage.workdir, folder))}
        case "CMD":
            changes = {"command": _command(rest), "command_line": line}
        case "ENTRYPOINT":  # takes back the command of the image that it is built upon
            changes = {"entrypoint": _command(rest), "entrypoint_line": line, "command": (), "command_line": 0}
        case "ENV":
            added = {one.name: one for one in _environment(rest, stage.values, file, line)}
            changes = {"environment": {**stage.environment, **added}}
        case "COPY" | "ADD" if found := _copy(rest, stage):
            changes = {"copies": (*stage.copies, found)}
        case "RUN":
            changes = {"runs": (*stage.runs, rest)}
    return replace(stage, **changes)


def _instructions(text: str) -> Iterator[tuple[str, str, int]]:
    """Keyword, the rest in one line, and the line where it begins; comments within it are gone."""
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = [line]
        while parts[-1].rstrip().endswith("\\"):
            parts[-1] = parts[-1].rstrip()[:-1]
            following = next(lines, None)
            while following and (not following[1].strip() or following[1].lstrip().startswith("#")):
                following = next(lines, None)
            parts.append(following[1] if following else "")
        keyword, _, rest = parts[0].strip().partition(" ")
        keyword = keyword.upper()
        if keyword == "RUN":  # in the shell, a comment goes on to the end of what was one line
            parts = [re.sub(r"(^|\s)#.*", "", part) for part in [rest, *parts[1:]]]
        else:
            parts = [rest, *parts[1:]]
        if keyword in ("RUN", "COPY", "ADD"):
            parts += _here_documents(parts, lines)
        yield keyword, " ".join(part.strip() for part in parts if part.strip()), number


def _here_documents(parts: Sequence[str], lines: Iterator[tuple[int, str]]) -> list[str]:
    """The lines of `RUN <<EOF`, each a command of its own."""
    found: list[str] = []
    for end in _HEREDOC.findall(parts[0]):
        for _, line in lines:
            if line.strip() == end:
                break
            found.append("; " + re.sub(r"(^|\s)#.*", "", line))
    return found


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that nothing closes
        return text.split()


def _exec_form(text: str) -> list[str] | None:
    """`["a", "b"]`, which no shell sees; None if it is none."""
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return [str(word) for word in words] if isinstance(words, list) else None


def _command(text: str) -> tuple[str, ...]:
    """The words that are run; the other form runs a shell."""
    words = _exec_form(text)
    return tuple(words) if words is not None else ("/bin/sh", "-c", text)


def _environment(rest: str, values: Mapping[str, str], file: Path, line: int) -> Iterator[Variable]:
    """`ENV A=1 B=2`, or as it was: `ENV A all of it`."""
    name, _, text = rest.partition(" ")
    if "=" not in name:
        yield variable(name, text.strip(), values, file, line)
        return
    for word in _split(rest):
        name, sign, text = word.partition("=")
        if sign and name:
            yield variable(name, text, values, file, line)


def _copy(rest: str, stage: Stage) -> Copy | None:
    """From the build context; what comes from other images is none of the project's files."""
    words = _exec_form(re.sub(r"^(--\S+\s+)*", "", rest)) or _split(rest)
    if any(word.startswith("--from=") for word in _split(rest)):
        return None
    paths = [expand(word, stage.values, lambda _: "") for word in words if not word.startswith("--")]
    paths = [path for path in paths if "://" not in path and "<<" not in path]
    if len(paths) < 2:
        return None
    into = paths[-1].endswith("/") or paths[-1] in (".", "..") or len(paths) > 2
    return Copy(tuple(paths[:-1]), posixpath.normpath(posixpath.join(stage.workdir, paths[-1])), into)


def _packages(words: str) -> Iterator[str]:
    skip = False
    for word in words.split():
        if not skip and not word.startswith("-") and (found := _PACKAGE.match(word)):
            yield found[0]
        skip = word in _INSTALL_TAKES_A_VALUE


def _required(words: str) -> Iterator[str]:
    return (found[1] for found in re.finditer(r"(?:^|\s)(?:-r|--requirement)[\s=]*(\S+)", words))
