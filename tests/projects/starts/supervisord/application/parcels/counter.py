from fastapi import FastAPI

counter = FastAPI()


@counter.get("/")
def index():
    return "parcels"
