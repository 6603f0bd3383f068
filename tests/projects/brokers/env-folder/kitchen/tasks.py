import os

from celery import Celery

DEGREES = os.environ["DEGREES"]
app = Celery("kitchen", broker=os.environ["QUEUE_URL"], backend=os.environ["QUEUE_URL"])


@app.task
def brew(kind):
    return kind + " at " + DEGREES
