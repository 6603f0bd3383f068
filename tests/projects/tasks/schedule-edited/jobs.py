from celery import Celery
from celery.schedules import crontab

app = Celery("jobs", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")
app.conf.beat_schedule = {
    "tock": {"task": "jobs.tock", "schedule": 1.0},
    "nightly": {"task": "jobs.tick", "schedule": crontab(hour=3, minute=0), "args": (1,)},
}


@app.task
def tick(n):
    return n + 0


@app.task
def tock():
    return 0
