from fastapi import FastAPI

from core.celery import app as celery_app  # noqa: F401
from stock.tasks import reorder

app = FastAPI()


@app.get("/stock")
def stock() -> int:
    return 42


@app.post("/stock/{item}/reorder")
def order(item: str, quantity: int):
    return {"id": reorder.delay(item, quantity=quantity).id}
