import os

import redis
from celery import Celery

host, port = os.environ["REDIS_HOST"], int(os.environ["REDIS_PORT"])
app = Celery("counter", broker=f"redis://{host}:{port}/0", backend=f"redis://{host}:{port}/0")
counts = redis.Redis(host=host, port=port, db=5)


@app.task
def visit(page):
    seen = counts.incr(page)
    return page
