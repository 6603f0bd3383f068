from flask import current_app

from webapp.extensions import celery


@celery.task
def send_mail(to):
    sender = current_app.config["SENDER"]
    return sender + " to " + to
