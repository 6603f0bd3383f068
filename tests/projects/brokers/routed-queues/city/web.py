from fastapi import FastAPI

from city.tasks import measure

web = FastAPI()


@web.get("/")
def index():
    return "city"


@web.post("/measure/{speed}")
def post(speed: int):
    return measure.delay(speed).id
