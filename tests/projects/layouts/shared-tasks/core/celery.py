from celery import Celery

app = Celery("core")
app.conf.broker_url = "redis://cache:6379/0"
app.conf.result_backend = "redis://cache:6379/1"
app.autodiscover_tasks(["stock", "billing"])
