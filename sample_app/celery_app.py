"""The Celery application, shared by the worker and the API."""

import os

from celery import Celery

celery_app = Celery(
    "sample_app",
    broker=os.environ.get("CELERY_BROKER_URL", "redis://localhost:6379/0"),
    backend=os.environ.get("CELERY_RESULT_BACKEND", "redis://localhost:6379/1"),
    include=["sample_app.tasks"],
)

celery_app.conf.update(
    result_extended=True,  # keep a task's name and arguments beside its result
    task_track_started=True,  # tell a running task from one that still waits in the queue
    broker_connection_retry_on_startup=True,  # the worker may start before Redis does
    worker_cancel_long_running_tasks_on_connection_loss=True,  # as Celery 6 will; unset, 5 warns
)
