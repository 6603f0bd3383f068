from choir.worker.instance import celery_app


@celery_app.task
def sing(times):
    assert times >= 0, "cannot be unsung"
    return " ".join(["la"] * times)
