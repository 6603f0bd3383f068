from celery import Celery

app = Celery("office", broker="redis://redis:6379", backend="redis://redis:6379", include=["office.reports"])
