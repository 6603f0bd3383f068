from choir.worker.instance import celery_app
from choir.worker.songs import sing

__all__ = ["celery_app", "sing"]
