from celery import Celery

from data.base import DatabaseTask

app = Celery("data", task_cls=DatabaseTask, broker="redis://localhost", backend="redis://localhost")


class Forbidden(Exception):
    pass


@app.task(bind=True, autoretry_for=(ConnectionError,), retry_backoff=True, max_retries=5)
def query(self, sql):
    if "drop" in sql:
        raise Forbidden(sql)
    return f"{self.db}: {sql}"
