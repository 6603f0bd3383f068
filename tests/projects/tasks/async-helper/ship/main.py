from fastapi import FastAPI

from ship.tasks import measure

app = FastAPI()


@app.get("/")
async def index():
    return "async"


@app.post("/{part}")
async def post(part: str):
    return measure.delay(part).id
