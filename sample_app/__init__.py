"""A small FastAPI + Celery application: something to run, break and debug."""
