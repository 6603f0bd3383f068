import os

from celery import Celery

RABBITMQ = "amqp://{}:{}@{}:5672//".format(
    os.environ.get("RABBITMQ_USER", "guest"),
    os.environ.get("RABBITMQ_PASS", "guest"),
    os.environ.get("RABBITMQ_HOST", "rabbitmq"),
)
oven = Celery("oven", broker=RABBITMQ, backend="rpc://")


@oven.task
def bake(pizza):
    return pizza + ", hot"
