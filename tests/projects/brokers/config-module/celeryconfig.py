BROKER_URL = "redis://localhost:6379/0"
CELERY_RESULT_BACKEND = "redis://localhost:6379/0"
CELERY_IMPORTS = ("cleaning.steps",)
CELERY_TIMEZONE = "Europe/Oslo"
CELERY_TASK_SERIALIZER = "json"
