"""Which interpreter runs the project: devkit may be installed apart from it (pipx, uv tool)."""

import os
import shutil
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import chain
from pathlib import Path

from devkit.errors import UsageError

# What people call a virtualenv of a folder's own; conda, too, can make one there.
OWN = (".venv", "venv", "env", ".env", "virtualenv", ".virtualenv")
ACTIVE = ("VIRTUAL_ENV", "CONDA_PREFIX")
HASH_CHARACTERS = 8


def find_python(root: Path, setting: str | None, environ: Mapping[str, str], folder: Path | None = None) -> str:
    """The path of the project's interpreter: the setting, the project's own virtualenv, the active one, devkit's.

    A virtualenv of the program's own `folder`, or of one between it and the root, comes first. Raises UsageError when
    the setting names no program.
    """
    if setting:
        given = root / Path(setting).expanduser() if "/" in setting else None
        found = shutil.which(str(given or setting), path=environ.get("PATH"))
        if not found:
            raise UsageError(
                f"there is no interpreter {setting}",
                mend=['correct --python, DEVKIT_PYTHON, or python = "..." under [tool.devkit]'],
            )
        return found
    homes = chain.from_iterable(_own(place, environ) for place in _places(root, folder))
    active = [Path(environ[name]) for name in ACTIVE if environ.get(name)]
    candidates = (home / "bin" / "python" for home in chain(homes, active))
    return next((str(python) for python in candidates if python.exists()), sys.executable)


def _places(root: Path, folder: Path | None) -> list[Path]:
    """The folder and those above it, up to the root."""
    if folder is None or not folder.is_relative_to(root):
        return [root]
    return [place for place in (folder, *folder.parents) if place.is_relative_to(root)]


def _own(folder: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """The virtualenvs that lie in a folder, then those that Poetry and Pipenv keep for it elsewhere."""
    yield from (folder / name for name in OWN)
    home = environ.get("HOME", "")
    if home and (folder / "pyproject.toml").is_file():  # poetry.utils.env.EnvManager.generate_env_name
        cache = environ.get("POETRY_CACHE_DIR") or f"{environ.get('XDG_CACHE_HOME') or f'{home}/.cache'}/pypoetry"
        kept = Path(environ.get("POETRY_VIRTUALENVS_PATH") or f"{cache}/virtualenvs")
        yield from _only(kept.glob(f"*-{_hash(os.path.realpath(folder))}-py*"))
    if home and (folder / "Pipfile").is_file():  # pipenv.project.Project._get_virtualenv_hash
        data = environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
        kept = Path(environ.get("WORKON_HOME") or f"{data}/virtualenvs")
        yield from _only(kept.glob(f"*-{_hash(str(folder / 'Pipfile'))}"))


def _hash(path: str) -> str:
    return urlsafe_b64encode(sha256(path.encode()).digest()).decode()[:HASH_CHARACTERS]


def _only(found: Iterable[Path]) -> list[Path]:
    """One for each Python that was tried: which is meant only the tool itself knows."""
    kept = list(found)
    return kept if len(kept) == 1 else []
