"""Whether a browser is at the other end of a connection to the debugger: it may have been tricked into that."""

import re

# From a browser, a proxy, or somebody who takes this for a web server.
_HTTP_LINE = re.compile(rb"\S HTTP/\d(\.\d)?\s*$")
TLS = b"\x16\x03"


def looks_like_a_browser(data: bytes) -> bool:
    """Whether what was sent first is the beginning of an HTTP request or of a TLS handshake."""
    return data.startswith(TLS) or _HTTP_LINE.search(data) is not None
