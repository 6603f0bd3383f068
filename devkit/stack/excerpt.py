"""A service's last lines, cut to what its author can act on."""

import re

from devkit.model.own import is_own

_FRAME = re.compile(r'^( *)File "([^"]+)", line \d+')


def excerpt(text: str, lines: int) -> str:
    """The last `lines` of a service's output, its tracebacks cut to the frames of the project's own code.

    Where no frame is the project's, the text stays whole: then the libraries' frames are all there is to go by.
    """
    kept = []
    found_own = False
    foreign = False
    indent = 0
    for line in text.splitlines():
        if frame := _FRAME.match(line):
            foreign = not is_own(frame[2])
            found_own |= not foreign
            indent = len(frame[1])
        elif not line.startswith(" " * (indent + 1)):
            foreign = False  # a frame's source line is indented further than the frame
        if not foreign:
            kept.append(line)
    return "\n".join((kept if found_own else text.splitlines())[-lines:])
