from celery import Celery

from newsletter import settings

worker = Celery(
    "newsletter",
    broker=settings.BROKER,
    backend=settings.RESULTS,
    include=["newsletter.tasks.mail", "newsletter.tasks.statistics"],
)
worker.conf.update(task_serializer="json", accept_content=["json"], result_expires=3600)
