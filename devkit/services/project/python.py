"""Which interpreter runs the project: devkit may be installed apart from it (pipx, uv tool)."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from devkit.errors import UsageError


def find_python(root: Path, setting: str | None, environ: Mapping[str, str]) -> str:
    """The path of the project's interpreter: the setting, the project's own virtualenv, the active one, devkit's.

    Raises UsageError when the setting names no program.
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
    homes = [root / ".venv", root / "venv"]
    homes += [Path(environ[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if environ.get(name)]
    candidates = (home / "bin" / "python" for home in homes)
    return next((str(python) for python in candidates if python.exists()), sys.executable)
