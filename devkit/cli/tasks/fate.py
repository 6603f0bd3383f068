"""What becomes of a task, as `run` and `debug --run` tell it."""

import json
from typing import Any

from devkit.model.wire import SendNews


class Fate:
    """What becomes of a task that was sent, told as it happens."""

    def __init__(self, task: str) -> None:
        self.outcome: dict[str, Any] = {"id": None, "task": task, "state": "PENDING", "result": None,
                                        "exception": None, "traceback": None, "runtime_s": None}  # fmt: skip
        self.done = False

    def hear(self, news: SendNews) -> None:
        """Take one of the news."""
        from devkit.cli.console import say

        if "sent" in news:
            self.outcome.update(id=news["sent"], task=news["task"])
            say(f"{news['task']} sent, id {news['sent']}")
        elif "state" in news:
            say(f"{news['state']} {json.dumps(news['info'])}")
        elif "no_worker" in news:
            say("no worker answers yet; devkit up starts one; Ctrl-C ends the wait, the task stays in the queue")
        else:
            self.outcome.update(news["done"])
            self.done = True

    def show(self) -> None:
        """The result or the traceback to stdout, the rest to stderr."""
        from devkit.cli.console import say, show

        outcome = self.outcome
        say(f"{outcome['state']} after {outcome['runtime_s']:.2f} s")
        if outcome["state"] == "SUCCESS":
            show(json.dumps(outcome["result"], ensure_ascii=False))
        else:
            show((outcome["traceback"] or outcome["exception"] or outcome["state"]).rstrip())
