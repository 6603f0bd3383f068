"""How a project's packages are installed into its interpreter: by the files that it has for that."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from devkit.settings.files import text_of

# What a folder has, and the command that installs by it, in the order in which they count.
_LOCKED = {
    "uv.lock": "uv sync",
    "poetry.lock": "poetry install",
    "pdm.lock": "pdm install",
    "Pipfile.lock": "pipenv install --dev",
    "Pipfile": "pipenv install --dev",
    "environment.yml": "conda env update -f environment.yml",
}
_REQUIREMENTS = (
    "requirements.txt", "requirements-dev.txt", "requirements/dev.txt", "requirements/local.txt",
    "requirements/base.txt", "requirements/requirements.txt",
)  # fmt: skip
_OTHERS = ("*requirements*.txt", "requirements*/*.txt")
_PYPROJECT = ("pyproject.toml", "setup.py", "setup.cfg")
_INCLUDES = re.compile(r"^\s*(?:-r|--requirement)[ =]*(\S+)", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|\s)#.*")
_HAS_PIP = "import sys, importlib.util; sys.exit(0 if importlib.util.find_spec('pip') else 3)"
_SECONDS = 10


@cache
def pip(python: str) -> str:
    """The command that installs packages into this interpreter: an environment that uv has made has no pip."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([python, "-I", "-c", _HAS_PIP], capture_output=True, timeout=_SECONDS, check=False)
        if done.returncode == 3:
            return f"uv pip install --python {shlex.quote(python)}"
    return f"{shlex.quote(python)} -m pip install"


def install_line(root: Path, folder: Path, python: str, packages: Sequence[str] = ()) -> str | None:
    """The command, to be run in the project's folder; `folder` is that of its code. None where no file tells, or none
    lists one of the `packages`, if some are named."""
    for place in _places(root, folder):
        for file, command in _commands(root, place, python):
            if not packages or any(_lists(file, name) for name in packages):
                return command
    return None


def pinned_in(root: Path, folder: Path, version: str) -> Path | None:
    """The requirements file that asks for just this version; `version` is a package's name and that."""
    name, _, number = version.partition(" ")
    pattern = re.compile(rf"(?<![\w.-]){_pattern(name)}(?:\[.*?\])?\s*==\s*{re.escape(number)}(?![\w.])", re.IGNORECASE)
    files = (file for place in _places(root, folder) for file, _ in _commands(root, place, "python"))
    return next((file for file in files if pattern.search(_COMMENT.sub("", text_of(file)))), None)


def _places(root: Path, folder: Path) -> list[Path]:
    return list(dict.fromkeys((folder, *(one for one in folder.parents if one.is_relative_to(root)), root)))


def _commands(root: Path, place: Path, python: str) -> Iterator[tuple[Path, str]]:
    """Each file that tells what to install, and the command that does it."""
    at = "" if place == root else f"cd {place.relative_to(root).as_posix()} && "
    for name, command in _LOCKED.items():
        if (place / name).is_file():
            yield place / name, f"{at}{command}"
    usual = [place / name for name in _REQUIREMENTS]
    others = [path for pattern in _OTHERS for path in sorted(place.glob(pattern))]
    for path in dict.fromkeys((*usual, *others)):
        if path.is_file():
            yield path, f"{pip(python)} -r {path.relative_to(root).as_posix()}"
    for name in _PYPROJECT:
        if (place / name).is_file():
            yield place / name, f"{pip(python)} -e {place.relative_to(root).as_posix()}"


def _lists(file: Path, package: str) -> bool:
    """Whether the file has the package's name in it, or one that it includes."""
    pattern = re.compile(rf"(?<![\w.-]){_pattern(package)}(?![\w-]|\.\w)", re.IGNORECASE)
    todo, seen = [file], set()
    while todo:
        if (one := todo.pop()) not in seen:
            seen.add(one)
            text = _COMMENT.sub("", text_of(one))
            if pattern.search(text):
                return True
            todo += [one.parent / included for included in _INCLUDES.findall(text)]
    return False


def _pattern(package: str) -> str:
    """Its name without extras and versions: `-`, `_` and `.` are the same there."""
    return r"[-_.]+".join(map(re.escape, re.split(r"[-_.]+", re.split(r"[\[<>=~! ]", package)[0])))
