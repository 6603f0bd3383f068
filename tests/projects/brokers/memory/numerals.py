import os

from celery import Celery

NUMERALS = ["", "I", "II", "III", "IV", "V"]
app = Celery(
    "numerals",
    broker=os.environ.get("BROKER", "memory://localhost/"),
    backend=os.environ.get("RESULTS", "cache+memory://"),
)


@app.task
def roman(n):
    return NUMERALS[n]
