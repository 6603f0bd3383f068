"""Failures, and the process that runs them again as devkit starts it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devkit.model.failure import Failure

AGENT = Path(__file__).parents[4] / "devkit" / "agent"
# Nobody listens there: what asks for it fails at once, and says so.
DEAD = "redis://127.0.0.1:1/0"
DEADLINE_S = 20


def failure(
    task: str, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None, *, embed: Any = None, **more: Any
) -> Failure:
    """One as the recorder keeps it, of a call with these arguments."""
    nothing = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    task_id, headers = more.pop("id", "original"), more.pop("headers", {})
    given: dict[str, Any] = {
        "id": task_id, "task": task, "state": "FAILURE", "retries": 0, "exception": "ValueError", "message": "",
        "traceback": "", "frames": (), "call": "", "names": (),
        "headers": {"lang": "py", "id": task_id, "task": task, "root_id": task_id, "retries": 0, **headers},
        "properties": {}, "delivery_info": {"exchange": "", "routing_key": "celery", "redelivered": False},
        "content_type": "application/json", "content_encoding": "utf-8", "failed_at": 1.0, "started_at": None,
        "worker": "celery@there", "revision": "",
        "body": json.dumps([list(args), kwargs or {}, {**nothing, **(embed or {})}]).encode(),
    }  # fmt: skip
    return Failure(**{**given, **more})


class Child:
    """The process, for the app `shop:app` of a folder."""

    def __init__(self, folder: Path, python: str = sys.executable, **env: str) -> None:
        orders, self._orders = os.pipe()
        answers, theirs = os.pipe()
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [python, AGENT, "replay", "shop", "app", str(orders), str(theirs)],
                cwd=folder,
                env={**os.environ, "BROKER": DEAD, "BACKEND": DEAD, **env},
                pass_fds=(orders, theirs),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        os.close(orders)
        os.close(theirs)
        self.folder = folder
        self._answers = os.fdopen(answers, "rb")
        self.first = self.answer()

    def answer(self) -> Any:
        """The next one; None when there will be none."""
        too_late = threading.Timer(DEADLINE_S, self.process.kill)
        too_late.start()
        line = self._answers.readline()
        too_late.cancel()
        line.decode("ascii")
        return json.loads(line) if line else None

    def order(self, of: Failure, **order: Any) -> None:
        text = json.dumps({"record": of.to_record(), "do": "run", **order}).encode() + b"\n"
        while text:
            text = text[os.write(self._orders, text) :]

    def ask(self, of: Failure, **order: Any) -> Any:
        """The answer to an order; to one to run: how it ended."""
        self.order(of, **order)
        answer = self.answer()
        return self.answer() if answer and "running" in answer else answer

    def run(self, task: str, *args: Any, order: dict[str, Any] | None = None, **more: Any) -> Any:
        """The outcome of a task with these arguments."""
        answer = self.ask(failure(f"shop.{task}", args, **more), **(order or {}))
        return answer["outcome"]

    def type(self, text: str) -> None:
        """At the terminal."""
        assert self.process.stdin
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    @property
    def out(self) -> str:
        return (self.folder / "out").read_bytes().decode(errors="replace")

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    def end(self) -> int:
        """No more orders; returns the exit code."""
        if self._orders >= 0:
            os.close(self._orders)
            self._orders = -1
        try:
            return self.process.wait(DEADLINE_S)
        finally:
            self.close()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._orders >= 0:
            os.close(self._orders)
            self._orders = -1
        self._answers.close()
        assert self.process.stdin
        self.process.stdin.close()
