"""Whether the app runs its tasks where they are called, and where its code says so."""

import os
import sys
from typing import Any

from ...model.own import is_own
from ...model.text import one_line

NAME = "always_eager"
LONGEST = 100


def eager(app: Any) -> "str | None":
    """None where it does not; else the line of the project's code that may have switched that on, if there is one."""
    if not app.conf.task_always_eager:
        return None
    here = os.getcwd()
    files = {str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())}
    for file in sorted(path for path in files if path.endswith(".py") and is_own(path, here)):
        try:
            with open(file, encoding="utf-8", errors="replace") as lines:
                found = next((n, line) for n, line in enumerate(lines, start=1) if NAME in line.lower())
        except (OSError, StopIteration):
            continue
        return f"{os.path.relpath(file, here)}:{found[0]}: {one_line(found[1].strip(), LONGEST)}"
    return ""
