from celery import Celery

power = Celery("lighthouse", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
power.conf.beat_schedule = {"each-second": {"task": "lighthouse.lamp.turn", "schedule": 1.0}}
