from celery import Celery
from fastapi import FastAPI

celery = Celery("calculator", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
app = FastAPI()


@app.get("/")
def index():
    return "calculator"


@app.post("/sum")
def add(x: int, y: int):
    return {"id": celery.send_task("sum", args=[x, y]).id}
