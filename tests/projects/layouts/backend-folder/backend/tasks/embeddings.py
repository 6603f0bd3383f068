from core.celery_app import celery_app


@celery_app.task(bind=True)
def embed(self, text):
    vector = [ord(letter) for letter in text]
    return vector
