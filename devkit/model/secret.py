"""Which values are nobody's business, by their names."""

import re
from typing import Any

MASK = "***"
LONGEST = 1000  # characters of a name that are looked at
_SECRET = re.compile(
    r"passw|pass_?phrase|pwd|(?:^|_)pass(?:$|_)|secret|token|api.?key|credential|authoriz|private.?key", re.I
)


def is_secret(name: Any) -> bool:
    """Whether a value of this name is nobody's business; a name of any type, of which no method is called."""
    kind = type(name)
    if issubclass(kind, bytes):
        text = bytes.__getitem__(name, slice(LONGEST)).decode(errors="replace")
    elif issubclass(kind, str):
        text = str.__getitem__(name, slice(LONGEST))
    else:
        return False
    return _SECRET.search(text) is not None
