import time

from celery import Celery

app = Celery("c", broker="redis://localhost:6379/0", backend="redis://localhost:6379/0")


@app.task(bind=True)
def half(self, number):
    if number % 2:
        self.update_state(state="FAILURE", meta={"exc": "odd"})
        time.sleep(0.5)
        raise ValueError(f"{number} is odd")
    self.update_state(state="HALVING", meta={"number": number})
    return number // 2
