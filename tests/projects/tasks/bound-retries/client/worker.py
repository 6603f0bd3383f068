from celery import Celery
from celery.utils.log import get_task_logger

logger = get_task_logger(__name__)
worker = Celery("client", broker="redis://redis:6379/0", backend="redis://redis:6379/0")


@worker.task(bind=True, max_retries=1, default_retry_delay=0.1)
def call(self, service):
    try:
        if service == "down":
            raise ConnectionError(service)
    except ConnectionError as error:
        logger.warning("try %s failed", self.request.retries)
        raise self.retry(exc=error)
    return f"{service} after {self.request.retries} retries"
