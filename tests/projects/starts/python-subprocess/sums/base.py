from celery import Celery

base = Celery("sums", broker="redis://localhost:6379/0", backend="redis://localhost:6379/0")
