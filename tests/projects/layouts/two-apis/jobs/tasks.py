from celery import Celery

app = Celery("jobs", broker="redis://redis/0", backend="redis://redis/0")


@app.task
def ship(order):
    if order < 0:
        raise LookupError(f"no order {order}")
    return f"order {order} shipped"
