from celery import Celery

app = Celery("books", broker="sqla+sqlite:///broker.sqlite", backend="db+sqlite:///results.sqlite")


@app.task
def title(name):
    return name.title()
