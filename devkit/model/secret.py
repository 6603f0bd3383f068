"""Which values are nobody's business, by their names."""

import re

MASK = "***"
_SECRET = re.compile(
    r"passw|pass_?phrase|pwd|(?:^|_)pass(?:$|_)|secret|token|api.?key|credential|authoriz|private.?key", re.I
)


def is_secret(name: object) -> bool:
    """Whether a value of this name is nobody's business."""
    text = name.decode(errors="replace") if isinstance(name, bytes) else name
    return isinstance(text, str) and _SECRET.search(text) is not None
