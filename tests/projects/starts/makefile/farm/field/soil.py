from celery import Celery

soil = Celery("farm", broker="redis://127.0.0.1:6379/3", backend="redis://127.0.0.1:6379/4")
