from celery import Celery

from core.config import REDIS_URL

celery_app = Celery("backend", broker=REDIS_URL, backend=REDIS_URL, include=["tasks.embeddings"])
