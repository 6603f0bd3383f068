from celery import Celery

connect = Celery("notes", broker="redis://localhost:6379/0", backend="redis://localhost:6379/0")
