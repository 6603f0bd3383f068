from celery import Celery

lunar = Celery("moon", broker="redis://localhost", backend="redis://localhost")
