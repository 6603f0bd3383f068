from fastapi import FastAPI

from app.workshop import restore

app = FastAPI()


@app.get("/")
def index():
    return "museum"


@app.post("/{thing}")
def post(thing: str):
    return restore.delay(thing).id
