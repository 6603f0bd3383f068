"""How a project's packages are installed into its interpreter: by the files that it has for that."""

from pathlib import Path

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


def install_line(root: Path, folder: Path, python: str) -> str | None:
    """The command, to be run in the project's folder; `folder` is that of its code. None where no file tells."""
    places = dict.fromkeys((folder, *(one for one in folder.parents if one.is_relative_to(root)), root))
    for place in places:
        at = "" if place == root else f"cd {place.relative_to(root).as_posix()} && "
        for name, command in _LOCKED.items():
            if (place / name).is_file():
                return f"{at}{command}"
        for name in _REQUIREMENTS:
            if (place / name).is_file():
                return f"{python} -m pip install -r {(place / name).relative_to(root).as_posix()}"
    for place in places:
        if any((place / name).is_file() for name in ("pyproject.toml", "setup.py")):
            return f"{python} -m pip install -e {place.relative_to(root).as_posix()}"
    return None
