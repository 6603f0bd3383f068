from celery import Celery

from app.config import Config

workshop = Celery("workshop")
workshop.config_from_object(Config, namespace="MUSEUM")


@workshop.task(name="museum.restore")
def restore(thing):
    return {thing: "restored"}
