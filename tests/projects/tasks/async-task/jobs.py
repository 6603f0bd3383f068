import asyncio

from celery import Celery

celery = Celery("main", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")


async def get(url):
    await asyncio.sleep(0.01)
    return url.upper()


@celery.task
async def fetch(url):
    return await get(url)


async def gather(urls):
    return [await get(url) for url in urls]


@celery.task
def fetch_all(urls):
    return asyncio.run(gather(urls))
