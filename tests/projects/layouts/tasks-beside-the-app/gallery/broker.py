from celery import Celery

celery_app = Celery("gallery", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
celery_app.conf.task_routes = {"gallery.jobs.publish": "publishing"}
