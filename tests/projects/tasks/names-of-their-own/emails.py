from celery import Celery

app = Celery("emails", broker="redis://localhost", backend="redis://localhost")


@app.task(name="emails/send-welcome", queue="emails")
def send(name):
    return "welcome, " + name
