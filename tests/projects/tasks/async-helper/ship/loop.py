import asyncio
import functools

_loop = None


def coroutine(function):
    @functools.wraps(function)
    def run(*args, **kwargs):
        global _loop
        if _loop is None:
            _loop = asyncio.new_event_loop()
        return _loop.run_until_complete(function(*args, **kwargs))

    return run
