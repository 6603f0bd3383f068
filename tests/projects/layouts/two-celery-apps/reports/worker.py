from celery import Celery

app = Celery("reports", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
app.conf.task_default_queue = "reports"


@app.task
def turnover(amounts):
    return sum(amounts)
