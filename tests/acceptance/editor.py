"""An editor, as far as debugging goes: a client of the Debug Adapter Protocol."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.acceptance.harness import DEADLINE_S, Json

HEADER_END = b"\r\n\r\n"


class Editor:
    """What it is told is kept until somebody waits for it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self._data = b""
        self._seq = 0
        self._thread = 0
        self._unread: list[Json] = []

    def attach(self, file: Path, *lines: int) -> None:
        """Introduce itself and set breakpoints at these lines of a file."""
        self.asks("initialize", adapterID="test", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        attach = self._send("attach", justMyCode=True)
        self.hears("initialized")
        self.asks("setBreakpoints", source={"path": str(file)}, breakpoints=[{"line": line} for line in lines])
        self.asks("configurationDone")
        self._answer(attach)

    def stops_at(self) -> tuple[str, int]:
        """Wait until the task stops; returns the function and the line."""
        stopped = self.hears("stopped")
        self._thread = stopped["body"]["threadId"]
        frame = self._frame()
        return frame["name"], frame["line"]

    def value_of(self, expression: str) -> str:
        """Of an expression, where the task stands."""
        result = self.asks("evaluate", expression=expression, frameId=self._frame()["id"], context="watch")["result"]
        return str(result)

    def goes_on(self, how: str = "continue") -> None:
        """Also "next", "stepIn", "stepOut"."""
        self.asks(how, threadId=self._thread)

    def leaves(self) -> None:
        """Disconnect; the task runs on."""
        self.asks("disconnect", terminateDebuggee=False)
        self._socket.close()

    def vanishes(self) -> None:
        """Close the connection, as an editor that is killed does."""
        self._socket.close()

    def threads(self) -> list[str]:
        return [thread["name"] for thread in self.asks("threads")["threads"]]

    def asks(self, command: str, **arguments: Any) -> Json:
        """Send a request; returns the answer's body."""
        return self._answer(self._send(command, **arguments))

    def hears(self, event: str) -> Json:
        """Wait for an event."""
        return self._wait(lambda one: one.get("event") == event)

    def _frame(self) -> Json:
        frame: Json = self.asks("stackTrace", threadId=self._thread)["stackFrames"][0]
        return frame

    def _send(self, command: str, **arguments: Any) -> int:
        self._seq += 1
        message = {"seq": self._seq, "type": "request", "command": command, "arguments": arguments}
        data = json.dumps(message).encode()
        self._socket.sendall(f"Content-Length: {len(data)}".encode() + HEADER_END + data)
        return self._seq

    def _answer(self, seq: int) -> Json:
        answer = self._wait(lambda one: one.get("request_seq") == seq)
        assert answer["success"], answer
        body: Json = answer.get("body", {})
        return body

    def _wait(self, wanted: Callable[[Json], bool]) -> Json:
        while True:
            for one in self._unread:
                if wanted(one):
                    self._unread.remove(one)
                    return one
            self._unread.append(self._read())

    def _read(self) -> Json:
        while HEADER_END not in self._data:
            self._more()
        header, _, self._data = self._data.partition(HEADER_END)
        length = int(header.rpartition(b":")[2])
        while len(self._data) < length:
            self._more()
        message, self._data = self._data[:length], self._data[length:]
        found: Json = json.loads(message)
        return found

    def _more(self) -> None:
        piece = self._socket.recv(65536)
        assert piece, f"the connection ended; not asked for: {self._unread}"
        self._data += piece
