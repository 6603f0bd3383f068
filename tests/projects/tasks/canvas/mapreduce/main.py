from celery import chain
from fastapi import FastAPI

from mapreduce.jobs import square, squares

app = FastAPI()


@app.get("/")
def index():
    return "map and reduce"


@app.post("/{n}")
def start(n: int):
    return chain(square.s(n), squares.s()).delay().id
