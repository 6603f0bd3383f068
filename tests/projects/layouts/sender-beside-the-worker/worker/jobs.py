from celery import Celery

app = Celery("calculator", broker="redis://redis:6379/0", backend="redis://redis:6379/0")


@app.task(name="sum")
def add(x, y):
    return x + y
