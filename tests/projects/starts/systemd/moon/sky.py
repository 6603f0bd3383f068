from fastapi import FastAPI

sky = FastAPI()


@sky.get("/")
def index():
    return "moon"
