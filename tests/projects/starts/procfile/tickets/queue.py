import os

from celery import Celery

queue = Celery("tickets", broker=os.environ.get("REDIS_URL", "redis://localhost:6379"))
queue.conf.result_backend = queue.conf.broker_url


@queue.task
def book(who, number):
    if not number:
        raise ValueError("0 tickets")
    return f"{number} tickets for {who}"
