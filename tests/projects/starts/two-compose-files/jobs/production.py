import os

from celery import Celery

BUCKET = os.environ["BUCKET"]
app = Celery("production", broker="rediss://cache.example.org:6380", include=["jobs.backup"])
