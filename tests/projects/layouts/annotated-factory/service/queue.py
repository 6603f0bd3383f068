from __future__ import annotations

import os

import celery


def build_queue(name: str, *, eager: bool = False) -> celery.Celery:
    queue = celery.Celery(name)
    queue.conf.broker_url = os.getenv("BROKER_URL", "redis://redis:6379")
    queue.conf.result_backend = os.getenv("RESULT_URL", "redis://redis:6379")
    queue.conf.task_always_eager = eager
    queue.autodiscover_tasks(["service.worker"])
    return queue
