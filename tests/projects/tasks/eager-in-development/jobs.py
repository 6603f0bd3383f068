import os

from celery import Celery

celery_app = Celery("jobs", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")
celery_app.conf.task_always_eager = os.environ.get("ENV", "dev") == "dev"


@celery_app.task
def half(n):
    return n / 2
