from celery import Celery

from library.config import settings

tasks = Celery("library", broker=str(settings.broker), backend=str(settings.results))


@tasks.task
def lend(book):
    if not book:
        raise ValueError("which book?")
    return f"{book} for {settings.days} days"
