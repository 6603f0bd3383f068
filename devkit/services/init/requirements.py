"""How an image gets what the project needs: from its lock file, its requirements files, pyproject.toml or setup.cfg."""

import configparser
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import Any

from devkit.settings.evidence.walk import walk
from devkit.settings.files import read, text_of

# In the order in which they are looked for in a folder; then whatever else is called requirements.
USUAL = (
    "requirements.txt",
    *(f"requirements/{name}.txt" for name in ("dev", "development", "local", "base", "common", "main", "requirements")),
    *(f"requirements-{name}.txt" for name in ("dev", "local", "base")),
)
OTHERS = ("*requirements*.txt", "requirements/*.txt", "requirements*/*.txt")
NAMES_CELERY = re.compile(r"(?i)(?<![\w-])celery(?![\w-])")
INCLUDES = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", re.MULTILINE)
# `-e .` and the like: the project itself, which is not there yet when the image is built.
ITSELF = re.compile(r"^(-e\s*|--editable[ =])?\.", re.MULTILINE)
WITHOUT_ITSELF = r"sed -i -E '/^(-e *|--editable[ =])?\./d'"
INSTALL = "> /tmp/requirements.txt \\\n    && pip install -r /tmp/requirements.txt"
FROM_PYPROJECT = """\
RUN python -c "import tomllib; \\
      print('\\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']))" \\
      > /tmp/requirements.txt && pip install -r /tmp/requirements.txt"""
FROM_SETUP_CFG = f"""\
RUN python -c "import configparser; c = configparser.ConfigParser(); c.read('setup.cfg'); \\
      print(c['options']['install_requires'])" {INSTALL}"""
FROM_UV = """\
RUN python -m venv /opt/uv && /opt/uv/bin/pip install uv \\
    && /opt/uv/bin/uv export --frozen --no-emit-workspace --no-hashes --output-file /tmp/requirements.txt > /dev/null \\
    && pip install -r /tmp/requirements.txt"""
POETRY = """\
RUN python -m venv /opt/poetry && /opt/poetry/bin/pip install poetry poetry-plugin-export \\
    && {lock}/opt/poetry/bin/poetry export --all-groups --without-hashes --output /tmp/requirements.txt \\
    && pip install -r /tmp/requirements.txt"""
FROM_POETRY = POETRY.format(lock="")
UNLOCKED_POETRY = POETRY.format(lock="/opt/poetry/bin/poetry lock && ")
FROM_PDM = f"""\
RUN python -m venv /opt/pdm && /opt/pdm/bin/pip install pdm \\
    && /opt/pdm/bin/pdm export --without-hashes {INSTALL}"""
FROM_PIPENV = f"""\
RUN python -m venv /opt/pipenv && /opt/pipenv/bin/pip install pipenv \\
    && /opt/pipenv/bin/pipenv requirements --dev {INSTALL}"""
LOCKED = (
    (("pyproject.toml", "uv.lock"), FROM_UV),
    (("pyproject.toml", "poetry.lock"), FROM_POETRY),
    (("pyproject.toml", "pdm.lock"), FROM_PDM),
    (("Pipfile", "Pipfile.lock"), FROM_PIPENV),
)


@dataclass(frozen=True)
class Install:
    """The `files` that tell of the dependencies, relative to the project's folder, and the `lines` for a Dockerfile."""

    files: tuple[str, ...]
    lines: str


def find_install(root: Path, folders: Iterable[Path], launched: Sequence[str]) -> Install | None:
    """What the project goes by; None if nothing tells.

    `folders` are those of the code, `launched` the requirements files that its own Dockerfiles name. Those folders and
    the ones above them are looked through first; then all others, where only what names Celery counts.
    """
    places = list(dict.fromkeys(place for folder in folders for place in _upwards(folder, root)))
    if found := _in(root, places, launched):
        return found
    return _in(root, [place for place in _all(root) if place not in places], (), must=True)


def _in(root: Path, places: Sequence[Path], launched: Sequence[str], *, must: bool = False) -> Install | None:
    """From what lies in these folders; `must`: only what names Celery."""
    for place in places:
        for names, lines in LOCKED:
            if _is_locked(place, names) and not (must and not _names_celery([place / names[1]])):
                return _from(root, place, names, lines)
    if chosen := _requirements(root, places, launched, must=must):
        return _from_requirements(root, chosen)
    for place in places:
        for name, lines in _listed(place):
            if not (must and not _names_celery([place / name])):
                return _from(root, place, [name], lines)
    return None


def _upwards(folder: Path, root: Path) -> list[Path]:
    """The folder and those above it, up to the project's."""
    return [place for place in (folder, *folder.parents) if place == root or root in place.parents] or [root]


def _all(root: Path) -> list[Path]:
    """Every folder that may have such a file, the nearest to the project's first."""
    tree = walk(root.resolve())
    found = dict.fromkeys(Path(file).parent for file in tree.launch)
    found |= dict.fromkeys(place.parent for place in list(found) if place.name.startswith("requirements"))
    return sorted(found, key=lambda place: (tree.is_aside(place / "x"), tree.depth(place / "x"), place))


def _is_locked(place: Path, names: Sequence[str]) -> bool:
    if not all((place / name).is_file() for name in names):
        return False
    return names[0] != "pyproject.toml" or bool(_read(place / "pyproject.toml"))


def _listed(place: Path) -> Iterator[tuple[str, str]]:
    """The files of a folder that list what is needed, and how an image gets it from them."""
    document = _read(place / "pyproject.toml")
    if document.get("project", {}).get("dependencies"):
        yield "pyproject.toml", FROM_PYPROJECT
    elif document.get("tool", {}).get("poetry", {}).get("dependencies"):
        yield "pyproject.toml", UNLOCKED_POETRY
    if (place / "Pipfile").is_file():
        yield (
            "Pipfile",
            FROM_PIPENV.replace("pipenv requirements", "pipenv lock && /opt/pipenv/bin/pipenv requirements"),
        )
    setup = configparser.ConfigParser(interpolation=None)
    try:
        setup.read_string(text_of(place / "setup.cfg"))
    except configparser.Error:
        return
    if setup.get("options", "install_requires", fallback="").strip():
        yield "setup.cfg", FROM_SETUP_CFG


def _read(pyproject: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read(pyproject).decode())
    except (OSError, ValueError, RecursionError):
        return {}


def _from(root: Path, place: Path, names: Sequence[str], lines: str) -> Install:
    """By files of one folder; what runs there finds them in its working directory."""
    files = tuple((place / name).relative_to(root).as_posix() for name in names)
    if place != root:
        lines = lines.replace("RUN ", f"RUN cd {place.relative_to(root).as_posix()} && ", 1)
    return Install(files, "\n".join([*_copies(files), lines]))


def _requirements(root: Path, places: Sequence[Path], launched: Sequence[str], *, must: bool) -> list[Path]:
    """The requirements files to install: those that Dockerfiles name; else, in the usual order, the first that names
    Celery, or the first, unless it `must`."""
    named = [place / name for name in launched for place in (root, *places)]
    if found := list(dict.fromkeys(path for path in named if path.is_file())):
        return found
    usual = [path for name in USUAL for place in places if (path := place / name).is_file()]
    others = [path for place in places for name in OTHERS for path in sorted(place.glob(name))]
    known = list(dict.fromkeys([*usual, *others]))
    telling = next((path for path in known if _names_celery(_with_included(path, root))), None)
    return [telling] if telling else [] if must else known[:1]


def _names_celery(files: Iterable[Path]) -> bool:
    return any(NAMES_CELERY.search(text_of(file)) for file in files)


def _from_requirements(root: Path, chosen: Sequence[Path]) -> Install:
    paths = list(dict.fromkeys(path for one in chosen for path in _with_included(one, root)))
    files = tuple(path.relative_to(root).as_posix() for path in paths)
    own = [path.relative_to(root).as_posix() for path in paths if ITSELF.search(text_of(path))]
    run = "RUN " + (f"{WITHOUT_ITSELF} {' '.join(own)} && " if own else "") + "pip install"
    run += "".join(f" -r {path.relative_to(root).as_posix()}" for path in chosen)
    return Install(files, "\n".join([*_copies(files), run]))


def _with_included(file: Path, root: Path, seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """The file and those that it includes: `-r base.txt`, `-c constraints.txt`."""
    yield file
    for name in INCLUDES.findall(text_of(file)):
        path = Path(normpath(file.parent / name))
        if path.is_file() and root in path.parents and path not in seen:
            yield from _with_included(path, root, seen | {file})


def _copies(files: Iterable[str]) -> list[str]:
    """One COPY for each folder."""
    folders: dict[str, list[str]] = {}
    for file in files:
        folders.setdefault(f"{Path(file).parent.as_posix()}/".replace("./", "", 1) or "./", []).append(file)
    return [f"COPY {' '.join(names)} {folder}" for folder, names in folders.items()]
