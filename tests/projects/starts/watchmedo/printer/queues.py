from celery import Celery

queues = Celery("printer", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
