import django
from celery import Celery

django.setup()
queue = Celery("cinema", broker="redis://redis:6379/0", backend="redis://redis:6379/0", include=["films.tasks"])
