import asyncio

from celery import Celery

from ship.loop import coroutine

app = Celery("ship", broker="redis://redis:6379/0", backend="redis://redis:6379/0")


@app.task
@coroutine
async def measure(part):
    await asyncio.sleep(0)
    length = len(part)
    return length
