from celery import shared_task

from .directory import NAMES


@shared_task()
def users_count():
    names = NAMES
    return len(names)


@shared_task()
def rename(number):
    return dict(enumerate(NAMES))[number]
