from celery import Celery

background = Celery("photos", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")
background.conf.imports = ("photos.background.jobs",)
