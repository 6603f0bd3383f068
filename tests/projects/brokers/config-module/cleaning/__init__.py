import celery

pipeline = celery.Celery()
pipeline.config_from_object("celeryconfig")
