from celery import shared_task

TARGET = "disk"


@shared_task
def backup(name):
    if not name:
        raise ValueError("nothing to back up")
    return f"{name} to {TARGET}"
