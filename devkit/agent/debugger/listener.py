"""The port of one debugger: lets one client in at a time, and keeps everything else from the task.

A thread of its own accepts and reads. A client that is devkit's own shows the session's token; a human with `telnet`
is one that stays silent at first. Whoever talks before being asked is neither.
"""

import errno
import hmac
import os
import selectors
import socket
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple

from ...model.peer import is_another_user
from . import telnet
from .browser import TLS, looks_like_a_browser

HOST = "127.0.0.1"
PORTS_TRIED = 200
SILENCE_S = 0.15
SEND_S = 5.0
MOST_WAITING = 16
CTRL_C, CTRL_D = b"\x03", b"\x04"


class Client:
    """A connection, from its beginning to its end."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(SEND_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.since = time.monotonic()
        self.parser = telnet.Parser()
        self.by_hand = True
        self.columns = 80
        self.alive = True
        self.unread = b""
        self._lock = threading.RLock()  # a signal handler may find this thread in here

    def send(self, data: bytes) -> bool:
        """Send; whether the client is still there. One that takes nothing for seconds is not."""
        with self._lock:
            if self.alive:
                try:
                    self.socket.sendall(data)
                except OSError:
                    self.alive = False
                    with suppress(OSError):
                        self.socket.shutdown(socket.SHUT_RDWR)  # the reading thread finds out
            return self.alive

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            self.alive = False
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            self.socket.close()

    def lines(self, data: bytes) -> "list[bytes]":
        """The lines that these bytes complete."""
        *whole, self.unread = (self.unread + data).replace(b"\r\0", b"\n").split(b"\n")
        found = [line.strip(b"\r\0") for line in whole]
        if self.unread == CTRL_D:  # a terminal that sends each key at once
            self.unread = b""
            found.append(CTRL_D)
        return found


class Item(NamedTuple):
    """What a client wants: "attached", "line", "eof", "complete"."""

    client: Client
    kind: str
    data: Any = None


class Listener:
    """Listens on loopback from the start; `items` is what the attached client wants, for the task's thread."""

    def __init__(self, token: str, first_port: int, welcome: "Callable[[], dict[str, Any]]", interrupt: Any) -> None:
        """`welcome` tells about the session, `interrupt` is called for a Ctrl-C; both in the listener's thread.

        Raises OSError where no port is free.
        """
        self.items: SimpleQueue[Item] = SimpleQueue()
        self.lines = 0  # how many of them were lines
        self.client: Client | None = None
        self._token = token
        self._welcome = welcome
        self._interrupt = interrupt
        self._server = _listen(first_port)
        self.port: int = self._server.getsockname()[1]
        self._waiting: set[Client] = set()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._closed = False
        _listeners.add(self)
        self._thread = threading.Thread(target=self._serve, name=f"debugger on port {self.port}", daemon=True)
        self._thread.start()

    def detach(self, client: Client, last_words: bytes = b"") -> None:
        """Let the client go."""
        client.send(last_words)
        if self.client is client:
            self.client = None
        client.alive = False
        self._wake_up()

    def close(self) -> None:
        """Nobody gets in any more."""
        self._closed = True
        self._wake_up()
        self._thread.join(timeout=1.0)

    def forget(self) -> None:
        """This is a forked child: the port is the parent's."""
        for kept in (self._server, self._wake, self._woken, *(client.socket for client in self._everyone())):
            with suppress(OSError):
                kept.close()
        self.client = None

    def _wake_up(self) -> None:
        with suppress(OSError):
            self._wake.send(b"\0")

    def _everyone(self) -> "list[Client]":
        return [*self._waiting, *([self.client] if self.client else [])]

    def _serve(self) -> None:
        self._selector.register(self._server, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        while not self._closed:
            for key, _ in self._selector.select(self._until_silence_is_over()):
                if key.fileobj is self._server:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                else:
                    self._read(key.data)
            now = time.monotonic()
            for client in [client for client in self._waiting if now - client.since >= SILENCE_S]:
                self._attach(client)
            self._drop_all(but_alive=True)
        self._drop_all(but_alive=False)
        self._selector.close()
        for kept in (self._server, self._wake, self._woken):
            kept.close()

    def _drop_all(self, *, but_alive: bool) -> None:
        for key in list(self._selector.get_map().values()):
            if key.data and not (but_alive and key.data.alive):
                self._drop(key.data)

    def _until_silence_is_over(self) -> "float | None":
        if not self._waiting:
            return None
        return max(0.0, min(client.since for client in self._waiting) + SILENCE_S - time.monotonic())

    def _accept(self) -> None:
        try:
            connection, _ = self._server.accept()
        except OSError:
            return
        if is_another_user(connection) or len(self._waiting) >= MOST_WAITING:
            connection.close()
            return
        try:
            client = Client(connection)
        except OSError:  # it is gone already
            connection.close()
            return
        self._waiting.add(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _read(self, client: Client) -> None:
        try:
            data = client.socket.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        for received in client.parser.feed(data):
            if client.alive:
                self._take(client, received)

    def _drop(self, client: Client) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(client.socket)
        self._waiting.discard(client)
        if self.client is client:
            self.client = None
        client.close()

    def _take(self, client: Client, received: telnet.Received) -> None:
        if received.kind == "reply":
            client.send(received.data)
        elif client in self._waiting:
            if received.kind == "hello":
                self._hello(client, received.data)
            else:
                client.alive = False  # it has not even read who is here
        elif received.kind == "hello" and client.by_hand:
            self._hello(client, received.data)  # late: it was taken for a human
        elif received.kind == "interrupt":
            self._interrupt()
        elif received.kind == "text":
            self._take_text(client, received.data)
        elif received.kind == "columns":
            client.columns = _columns(received.data)
        elif received.kind == "command":
            self._put_line(client, str(received.data.get("text", "")))
        elif received.kind in ("eof", "complete"):
            self.items.put(Item(client, received.kind, received.data))

    def _take_text(self, client: Client, data: bytes) -> None:
        if not client.unread and data.startswith(TLS):
            client.alive = False
            return
        if CTRL_C in data:
            data = data.replace(CTRL_C, b"")
            self._interrupt()
        lines = client.lines(data)
        if any(len(line) > telnet.LONGEST_LINE for line in (*lines, client.unread)):
            client.send(telnet.text(f"*** a line of more than {telnet.LONGEST_LINE} bytes\n"))
            client.alive = False
            return
        for line in lines:
            if looks_like_a_browser(line):
                client.alive = False
                return
            if line == CTRL_D:
                self.items.put(Item(client, "eof"))
            else:
                self._put_line(client, line.decode(errors="replace").replace("\0", ""))

    def _put_line(self, client: Client, line: str) -> None:
        self.lines += 1
        self.items.put(Item(client, "line", line))

    def _hello(self, client: Client, data: "dict[str, Any]") -> None:
        if not hmac.compare_digest(str(data.get("token")).encode(errors="replace"), self._token.encode()):
            client.send(telnet.message("refused", why="this is another session's token; devkit debug --list"))
            client.alive = False
            return
        client.by_hand = False
        client.columns = _columns(data)
        self._attach(client)

    def _attach(self, client: Client) -> None:
        if self.client and self.client is not client:
            since = int(time.monotonic() - self.client.since)
            who = "telnet" if self.client.by_hand else "devkit debug"
            why = f"somebody is attached already, by {who}, for {since} s"
            client.send(telnet.text(why + "\n") if client.by_hand else telnet.message("refused", why=why))
            client.alive = False
            return
        self._waiting.discard(client)
        self.client = client
        if not client.by_hand:
            client.send(telnet.message("welcome", session=self._welcome()))
        self.items.put(Item(client, "attached"))


def _columns(data: "dict[str, Any]") -> int:
    columns = data.get("columns")
    return min(max(columns, 20), 1000) if isinstance(columns, int) else 80


def _listen(first_port: int) -> socket.socket:
    for port in range(first_port, min(first_port + PORTS_TRIED, 65536)):
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
            server.listen(MOST_WAITING)
            return server
        except OSError as error:
            server.close()
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no free port from {first_port} on")


_listeners: "weakref.WeakSet[Listener]" = weakref.WeakSet()


def _forget_all() -> None:
    for listener in list(_listeners):
        listener.forget()
    _listeners.clear()


os.register_at_fork(after_in_child=_forget_all)
