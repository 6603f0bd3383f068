from app.worker import celery


@celery.task
def check(number):
    return {"ok": number > 0}
