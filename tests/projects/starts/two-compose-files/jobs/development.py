from celery import Celery

app = Celery("development", broker="redis://redis:6379/0", backend="redis://redis:6379/0", include=["jobs.backup"])
