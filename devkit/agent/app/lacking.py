"""Which package the interpreter lacks, as an exception tells: by the module's name, or in its own words."""

import importlib.metadata
import importlib.util
import os
import re
import sys

from ...model.own import is_own
from ...model.wire import Trouble

_NAME = r"([A-Za-z][\w.-]*(?:\[[\w,.-]+\])?)"
_QUOTED = rf"[\"'`]{_NAME}[\"'`]"
# As SQLAlchemy, pydantic, FastAPI, Starlette and others say what to install; the surest comes first.
_TOLD = tuple(
    re.compile(pattern)
    for pattern in (
        rf"pip3? install (?:-U |--upgrade )?[\"'`]?(?!-){_NAME}",
        rf"install(?:ing)? (?:the )?{_QUOTED}",
        rf"requires? (?:that )?(?:the )?(?:Python )?{_QUOTED} (?:library|package|module|to be installed)",
        rf"{_QUOTED} (?:library|package|module)? ?(?:is not|must be|needs to be|to be) installed",
        rf"\b{_NAME} must be installed",
        rf"requires? (?:the )?{_NAME} (?:library|package|to be installed)",
    )
)
_ARTICLES = ("the", "it", "this", "that", "a", "an", "package", "library")


def lacking(error: BaseException) -> "Trouble | None":
    """What is not installed, or in a version without what is imported; None where it tells of no package."""
    if isinstance(error, ImportError) and (package := _by_name(error)):
        return package
    try:
        text = str(error)
    except Exception:
        return None
    if type(error).__name__ == "PydanticImportError":  # of what only version 1 has
        return {"missing": "pydantic", "what": _installed("pydantic"), "install": "pydantic<2"}
    for pattern in _TOLD:
        if (found := pattern.search(text)) and found[1].rstrip(".").lower() not in _ARTICLES:
            return {"missing": "", "install": found[1].rstrip(".")}
    return None


def _by_name(error: ImportError) -> "Trouble | None":
    """By the module's; None for the project's own ones."""
    name = error.name or ""
    top = name.partition(".")[0]
    if not top or top in sys.stdlib_module_names:
        return None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        return {"missing": name}
    places = [spec.origin or "", *(spec.submodule_search_locations or ())]
    if any(place and place != "namespace" and is_own(os.path.join(place, ""), os.getcwd()) for place in places):
        return None
    return {"missing": name, "what": _installed(top)}


def _installed(module: str) -> str:
    """The package that has brought it, and its version."""
    try:
        distribution = importlib.metadata.packages_distributions()[module][0]
        return f"{distribution} {importlib.metadata.version(distribution)}"
    except Exception:
        return module
