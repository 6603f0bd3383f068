import asyncio

from celery import Celery

app = Celery("jobs", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")
app.conf.worker_max_tasks_per_child = 1


class Pool:
    loop = None

    async def fetch(self):
        running = asyncio.get_running_loop()
        if self.loop is None:
            self.loop = running
        if self.loop is not running:
            raise RuntimeError("got Future attached to a different loop")
        answer = 42
        return answer


pool = Pool()


@app.task
def report(n):
    answer = asyncio.run(pool.fetch())
    return answer + n
