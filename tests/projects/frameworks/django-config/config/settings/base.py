import os

INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "bookshop.users"]
ROOT_URLCONF = "config.urls"
USE_TZ = True
CELERY_BROKER_URL = os.environ["REDIS_URL"]
CELERY_RESULT_BACKEND = CELERY_BROKER_URL
CELERY_TASK_TIME_LIMIT = 5 * 60
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_WORKER_SEND_TASK_EVENTS = True
