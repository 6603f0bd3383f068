from fastapi import FastAPI

from pizzeria.oven import bake

app = FastAPI()


@app.get("/")
def index():
    return "pizza"


@app.post("/{pizza}")
def order(pizza: str):
    return bake.delay(pizza).id
