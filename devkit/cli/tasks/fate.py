"""What becomes of a task, as `run` and `debug --run` tell it."""

import json
from collections.abc import Callable
from typing import Any

from devkit.model.text import short_path
from devkit.model.wire import SendNews

UNAWAITED = (
    "have the task run it: asyncio.run(…) in a plain def, or asgiref's async_to_sync; or a pool that awaits, such as "
    "celery-aio-pool"
)
SHORT_ID = 8


class Fate:
    """What becomes of a task that was sent, told as it happens."""

    def __init__(self, task: str, sent: Callable[[], object] = lambda: None) -> None:
        """`sent` is called once it is."""
        self.outcome: dict[str, Any] = {"id": None, "task": task, "state": "PENDING", "result": None,
                                        "exception": None, "traceback": None, "runtime_s": None}  # fmt: skip
        self.done = False
        self._note = ""
        self._sent = sent

    def hear(self, news: SendNews) -> None:
        """Take one of the news."""
        from devkit.cli.console import say

        if "sent" in news:
            self.outcome.update(id=news["sent"], task=news["task"])
            self._sent()
            say(f"{news['task']} sent, id {news['sent']}")
        elif "done" in news:
            end = {**news["done"]}
            self._note = str(end.pop("note"))
            self.outcome.update(end)
            self.done = True
        else:
            say(self._in_words(news))

    def _in_words(self, news: SendNews) -> str:  # noqa: PLR0911 - one for each kind
        """What happens to it before its end."""
        match news:
            case {"eager": place}:
                return (
                    "task_always_eager is on: no worker has what the app sends itself; this task is sent to one all "
                    f"the same{place and f'; to have all go there, switch it off: {place}'}"
                )
            case {"state": state, "info": str(text)} if state in ("RETRY", "FAILURE"):
                return f"{state} {text}"
            case {"state": state, "info": info}:
                return f"{state} {json.dumps(info, ensure_ascii=False)}"
            case {"nobody": queue, "workers": workers}:
                has = "; ".join(f"{worker} has {', '.join(queues)}" for worker, queues in sorted(workers.items()))
                known = dict.fromkeys(name for queues in workers.values() for name in queues)
                return f"queue {queue}: nobody consumes it; {has}: devkit up -Q {','.join([*known, queue])}"
            case {"limited": rate, "worker": worker}:
                return f"{worker} has it, and waits: the task's rate_limit is {rate}"
            case {"away": why, "url": url}:
                return (
                    f"the result backend {url} does not answer ({why}); the task goes on, its id is "
                    f"{self.outcome['id']}; waiting for the backend to come back (Ctrl-C ends the wait)"
                )
            case {"paused": file, "line": number}:
                return f"paused at {short_path(file)}:{number}: devkit debug {self.outcome['id'][:SHORT_ID]}"
            case {"lost": _, "worker": worker}:
                return f"{worker} has it no more and told no end, as after raise Ignore(): Ctrl-C ends the wait"
            case {"silent": _}:
                return "no result is kept, and no worker tells of it: only one with task events (celery worker -E) does"
            case _:
                return "no worker answers yet; devkit up starts one; Ctrl-C ends the wait, the task stays in the queue"

    def show(self) -> None:
        """The result or the traceback to stdout, the rest to stderr."""
        from devkit.cli.console import say, show

        outcome = self.outcome
        say(f"{outcome['state']} after {outcome['runtime_s']:.2f} s{self._note and f': {self._note}'}")
        unawaited = "async def" in str(outcome["exception"])
        if outcome["state"] == "SUCCESS" and self._note:
            if outcome["exception"]:
                say(outcome["exception"])
        elif outcome["state"] == "SUCCESS":
            show(json.dumps(outcome["result"], ensure_ascii=False))
        elif unawaited or "a generator" in str(outcome["exception"]):
            show(outcome["exception"])
        else:
            show((outcome["traceback"] or outcome["exception"] or outcome["state"]).rstrip())
        if unawaited:
            say(UNAWAITED)
