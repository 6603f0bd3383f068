from celery import Celery

hub = Celery("parcels", broker="redis://localhost:6379/0", backend="redis://localhost:6379/0")
