import os

from celery import Celery
from dotenv import load_dotenv

load_dotenv()
app = Celery("tasks", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])


@app.task
def slugify(title):
    words = title.lower().split()
    return "-".join(words)
