from celery import Celery


def make_queue():
    queue = Celery("project", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
    queue.set_default()
    return queue
