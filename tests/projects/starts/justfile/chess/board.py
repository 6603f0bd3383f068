from fastapi import FastAPI

board = FastAPI()


@board.get("/")
def index():
    return "chess"
