from gallery.broker import celery_app


@celery_app.task
def shrink(width, factor):
    return width // factor


@celery_app.task
def publish(picture):
    return f"published {picture}"
