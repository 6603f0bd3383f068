"""What a browser says, and what a human may say."""

import pytest

from devkit.agent.debugger.browser import looks_like_a_browser


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        b"POST /x?y=1 HTTP/1.0",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT localhost:6899 HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"GET http://localhost:6899/ HTTP/1.1",
        b"\x16\x03\x01\x02\0\x01",
    ],
)
def test_a_browser(data: bytes) -> None:
    assert looks_like_a_browser(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"p x", b"GET", b"GET /", b"p 'GET / HTTP/1.1'", b"where HTTP", b"p '\x16\x03'", b"\x16", b"get / http/1.1"],
)
def test_a_human(data: bytes) -> None:
    assert not looks_like_a_browser(data)
