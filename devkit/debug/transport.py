"""The connection: telnet, and messages in GMCP subnegotiations, all in the order in which it came.

telnetlib3 interprets telnet's bytes; its own reader would lose the order of text and messages, and what came just
before the end.
"""

import asyncio
import codecs
import importlib.util
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Modules of this package are imported without the package itself, if it is not there yet."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec and spec.submodule_search_locations:
        package = sys.modules[name] = ModuleType(name)
        package.__path__ = list(spec.submodule_search_locations)
    try:
        yield
    finally:
        if spec:
            sys.modules.pop(name, None)


# Its servers, shells and tables would take as long as all the rest of devkit.
with _alone("telnetlib3"):
    from telnetlib3.client_base import BaseClient
    from telnetlib3.telopt import GMCP, IAC, IP

PREFIX = "devkit."
# More than this many pieces unread: the debugger has to wait.
CROWDED = 1000
IAC_BYTE = 255


@dataclass(frozen=True)
class Text:
    """What telnet would show."""

    text: str


@dataclass(frozen=True)
class Message:
    """What only devkit's client sees."""

    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Closed:
    """The other side is gone. Always the last one."""


Received = Text | Message | Closed


class Connection:
    """One connection. `receive` gives all that came, piece by piece."""

    def __init__(self, client: "_Client") -> None:
        self._client = client

    async def receive(self) -> Received:
        """The next piece; after Closed there is none."""
        received = await self._client.received.get()
        self._client.relieved()
        return received

    def tell(self, kind: str, **data: Any) -> None:
        """Send a message."""
        self._client.writer.send_gmcp(PREFIX + kind, data)

    def write(self, text: str) -> None:
        """Send text, as typed."""
        self._client.writer.write(text.encode())

    def pretend(self, text: str) -> None:
        """Receive text that the other side did not send."""
        self._client.received.put_nowait(Text(text))

    def interrupt(self) -> None:
        """Send telnet's Ctrl-C."""
        self._client.writer.send_iac(IAC + IP)

    def close(self) -> None:
        """Close it; what was sent before still arrives."""
        self._client.close()


async def connect(host: str, port: int, stream: socket.socket | None = None) -> Connection:
    """Over the stream, if there is one that leads there. Raises OSError where nobody listens."""
    loop = asyncio.get_running_loop()
    if stream:
        stream.setblocking(False)
        _, client = await loop.create_connection(_Client, sock=stream)
    else:
        try:
            _, client = await loop.create_connection(_Client, host, port)
        except UnicodeError as error:
            raise OSError(f"no host has such a name: {host}") from error
    return Connection(client)


class _Client(BaseClient):
    """Puts text and messages into one queue."""

    writer: Any

    def __init__(self) -> None:
        super().__init__(encoding=False)
        self.received: asyncio.Queue[Received] = asyncio.Queue()
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._unread = bytearray()
        self._crowded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Agreed without negotiation: the bytes of one would break a plain rdb, which reads strict UTF-8.
        self.writer.remote_option[GMCP] = True
        self.writer.set_ext_callback(GMCP, self._message)

    def data_received(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            if self.writer.is_oob or data[start] == IAC_BYTE:
                end = start + 1
                try:
                    in_band = self.writer.feed_byte(data[start:end])
                except ValueError:  # telnet that makes no sense
                    in_band = False
            else:
                end = data.find(IAC, start)
                end = len(data) if end < 0 else end
                in_band = True
            if in_band:
                self._unread += data[start:end]
            start = end
        self._put_text()
        if self.received.qsize() > CROWDED and not self._crowded and self._transport:
            self._crowded = True
            self._transport.pause_reading()

    def relieved(self) -> None:
        """Something was taken from the queue."""
        if self._crowded and self.received.qsize() < CROWDED // 2 and self._transport:
            self._crowded = False
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closing:
            self.received.put_nowait(Closed())
        super().connection_lost(exc)

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def _put_text(self) -> None:
        text = self._text.decode(self._unread)
        self._unread.clear()
        if text:
            self.received.put_nowait(Text(text))

    def _message(self, package: str, data: Any) -> None:
        self._put_text()
        if package.startswith(PREFIX) and isinstance(data, dict):
            self.received.put_nowait(Message(package.removeprefix(PREFIX), data))
