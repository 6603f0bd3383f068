from fastapi import FastAPI

desk = FastAPI()


@desk.get("/")
def index():
    return "sums"
