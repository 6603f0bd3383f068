import logging

from celery import Celery

logger = logging.getLogger(__name__)


class BaseCelery(Celery):
    def gen_task_name(self, name, module):
        return f"bakery.{name}"


class TracedCelery(BaseCelery):
    def send_task(self, name, *args, **kwargs):
        logger.info("sending %s", name)
        return super().send_task(name, *args, **kwargs)
