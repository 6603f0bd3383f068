"""Servers that do not answer, in the words of the libraries that have tried."""

import re

_SAYS = re.compile(
    r"refused|name resolution|not known|nodename nor|translate host|unknown .*host|timed? ?out|unreachable|no route to"
    r"|can'?t connect|could not connect|cannot connect|connect call failed|connection to server|no brokers ?available",
    re.IGNORECASE,
)
_ADDRESSES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"""host name "(?P<host>[\w.-]+)\"""",
        r"""server (?:at|on|host) ["'](?P<host>[\w.:-]+?)["'](?:[^"']*?\bport (?P<port>\d+))?""",
        r"""connect(?:ing|ion)? to (?:\w+://)?["']?(?P<host>[A-Za-z0-9_][\w.-]*):(?P<port>\d+)""",
        r"""call failed \('(?P<host>[^']+)', (?P<port>\d+)""",
        r"""(?<![\w.])(?P<host>[A-Za-z_][\w.-]*|\d+\.\d+\.\d+\.\d+):(?P<port>\d{2,5})\b""",
    )
)


def says_unreachable(text: str) -> bool:
    """Whether it says that a server could not be reached."""
    return _SAYS.search(text) is not None


def address_in(text: str) -> "tuple[str, int] | None":
    """The host and the port that are named there, 0 for a port that is not; None where no host is."""
    for pattern in _ADDRESSES:
        if found := pattern.search(text):
            groups = found.groupdict()
            return groups["host"], int(groups.get("port") or 0)
    return None
