from fastapi import FastAPI

gate = FastAPI()


@gate.get("/")
def index():
    return "crop"
