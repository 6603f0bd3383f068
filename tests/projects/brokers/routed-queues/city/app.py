from celery import Celery

app = Celery("city", include=["city.tasks"])
app.config_from_object("city.config")
