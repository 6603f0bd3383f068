from fastapi import FastAPI

from jobs.tasks import ship

app = FastAPI(title="orders")


@app.get("/orders")
def orders():
    return "no orders"


@app.post("/orders/{order}/ship")
def send(order: int):
    return {"id": ship.delay(order).id}
