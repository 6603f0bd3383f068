"""Signals become messages."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_into(put: Callable[[int], None]) -> Iterator[None]:
    """Signals that ask to stop only leave a message; the loop acts.

    They come by way of a pipe that the interpreter's own handler writes to: Python code is called for a signal only
    between two instructions of the main thread, which never come while it waits for a message that was about to.
    """
    coming, noted = os.pipe()
    os.set_blocking(noted, False)

    def listen() -> None:
        while byte := os.read(coming, 1):
            if byte[0] in STOP:
                put(byte[0])
        os.close(coming)

    before = {signum: signal.signal(signum, lambda *_: None) for signum in STOP}
    signal.set_wakeup_fd(noted)
    listener = Thread(target=listen, name="signals", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        os.close(noted)
        listener.join()
        for signum, handler in before.items():
            signal.signal(signum, handler)
