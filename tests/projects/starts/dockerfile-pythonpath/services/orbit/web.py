from fastapi import FastAPI
from shared.planets import DISTANCES

from orbit.tasks import distance

app = FastAPI()


@app.get("/")
def index():
    return {"planets": sorted(DISTANCES)}


@app.get("/{planet}")
def one(planet: str):
    return distance.delay(planet).id
