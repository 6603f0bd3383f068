from fastapi import FastAPI

sea = FastAPI()


@sea.get("/")
def index():
    return "lighthouse"
