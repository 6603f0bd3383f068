from celery import Celery

celery = Celery("app", broker="redis://:s3cret@redis:6379/0", backend="redis://:s3cret@redis:6379/0")


@celery.task
def double(number):
    return number * 2
