from celery import Celery

app = Celery("mails", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
app.conf.task_default_queue = "mails"


@app.task
def welcome(address):
    name = address.partition("@")[0]
    return f"{name} is welcome"
