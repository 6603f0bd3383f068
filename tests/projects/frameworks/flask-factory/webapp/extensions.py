from celery import Celery

celery = Celery("webapp", include=["webapp.auth.tasks"])
