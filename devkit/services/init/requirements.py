"""How an image gets what the project needs: from its lock file, its requirements files or its pyproject.toml."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import Any

# In the order in which they are looked for, in the folder of the code and in those above it.
USUAL = ("requirements.txt", "requirements/dev.txt", "requirements/local.txt", "requirements/base.txt")
INCLUDES = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", re.MULTILINE)
# `-e .` and the like: the project itself, which is not there yet when the image is built.
ITSELF = re.compile(r"^(-e\s*|--editable[ =])?\.", re.MULTILINE)
WITHOUT_ITSELF = r"sed -i -E '/^(-e *|--editable[ =])?\./d'"
FROM_PYPROJECT = """\
RUN python -c "import tomllib; \\
      print('\\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']))" \\
      > /tmp/requirements.txt && pip install -r /tmp/requirements.txt"""
FROM_UV = """\
RUN python -m venv /opt/uv && /opt/uv/bin/pip install uv \\
    && /opt/uv/bin/uv export --frozen --no-emit-workspace --no-hashes --output-file /tmp/requirements.txt > /dev/null \\
    && pip install -r /tmp/requirements.txt"""
FROM_POETRY = """\
RUN python -m venv /opt/poetry && /opt/poetry/bin/pip install poetry poetry-plugin-export \\
    && /opt/poetry/bin/poetry export --all-groups --without-hashes --output /tmp/requirements.txt \\
    && pip install -r /tmp/requirements.txt"""


@dataclass(frozen=True)
class Install:
    """The `files` that tell of the dependencies, relative to the project's folder, and the `lines` for a Dockerfile."""

    files: tuple[str, ...]
    lines: str


def find_install(root: Path, folders: Iterable[Path], launched: Sequence[str]) -> Install | None:
    """What the project goes by; None if nothing tells.

    `folders` are those of the code, `launched` the requirements files that its own Dockerfiles name.
    """
    places = list(dict.fromkeys(place for folder in folders for place in _upwards(folder, root)))
    for place in places:
        pyproject = _read(place / "pyproject.toml")
        for lock, lines in (("uv.lock", FROM_UV), ("poetry.lock", FROM_POETRY)):
            if pyproject and (place / lock).is_file():
                return _from(root, place, ["pyproject.toml", lock], lines)
    if chosen := _requirements(root, places, launched):
        return _from_requirements(root, chosen)
    for place in places:
        if _read(place / "pyproject.toml").get("project", {}).get("dependencies"):
            return _from(root, place, ["pyproject.toml"], FROM_PYPROJECT)
    return None


def _upwards(folder: Path, root: Path) -> list[Path]:
    """The folder and those above it, up to the project's."""
    return [place for place in (folder, *folder.parents) if place == root or root in place.parents] or [root]


def _read(pyproject: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _from(root: Path, place: Path, names: Sequence[str], lines: str) -> Install:
    """By files of one folder; what runs there finds them in its working directory."""
    files = tuple((place / name).relative_to(root).as_posix() for name in names)
    if place != root:
        lines = lines.replace("RUN ", f"RUN cd {place.relative_to(root).as_posix()} && ", 1)
    return Install(files, "\n".join([*_copies(files), lines]))


def _requirements(root: Path, places: Sequence[Path], launched: Sequence[str]) -> list[Path]:
    """The requirements files to install: those that Dockerfiles name, else the usual one of each part's folder."""
    named = [place / name for name in launched for place in (root, *places)]
    found = list(dict.fromkeys(path for path in named if path.is_file()))
    if found:
        return found
    return [path for name in USUAL for place in places if (path := place / name).is_file()][:1]


def _from_requirements(root: Path, chosen: Sequence[Path]) -> Install:
    paths = list(dict.fromkeys(path for one in chosen for path in _with_included(one, root)))
    files = tuple(path.relative_to(root).as_posix() for path in paths)
    own = [path.relative_to(root).as_posix() for path in paths if ITSELF.search(path.read_text(errors="replace"))]
    run = "RUN " + (f"{WITHOUT_ITSELF} {' '.join(own)} && " if own else "") + "pip install"
    run += "".join(f" -r {path.relative_to(root).as_posix()}" for path in chosen)
    return Install(files, "\n".join([*_copies(files), run]))


def _with_included(file: Path, root: Path, seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """The file and those that it includes: `-r base.txt`, `-c constraints.txt`."""
    yield file
    for name in INCLUDES.findall(file.read_text(errors="replace")):
        path = Path(normpath(file.parent / name))
        if path.is_file() and root in path.parents and path not in seen:
            yield from _with_included(path, root, seen | {file})


def _copies(files: Iterable[str]) -> list[str]:
    """One COPY for each folder."""
    folders: dict[str, list[str]] = {}
    for file in files:
        folders.setdefault(f"{Path(file).parent.as_posix()}/".replace("./", "", 1) or "./", []).append(file)
    return [f"COPY {' '.join(names)} {folder}" for folder, names in folders.items()]
