from fastapi import FastAPI

service = FastAPI()


@service.get("/")
def index():
    return "translate"
