from celery import Celery

queue = Celery("weather", broker="redis://redis:6379", backend="redis://redis:6379", include=["weather.background.jobs"])
