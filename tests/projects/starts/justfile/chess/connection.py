from celery import Celery

conn = Celery("chess", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
