from celery import Celery

app = Celery("main", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")


class CardDeclined(Exception):
    def __init__(self, code, customer):
        super().__init__(f"declined: {code}")
        self.customer = customer


@app.task
def charge(cents):
    if cents:
        raise CardDeclined(51, {"id": cents})
    return "nothing to pay"


@app.task(bind=True, max_retries=2)
def charge_again(self, cents):
    try:
        charge(cents)
    except CardDeclined as error:
        raise self.retry(exc=error, countdown=0.1)
