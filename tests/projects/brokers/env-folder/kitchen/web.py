import os

from fastapi import FastAPI

app = FastAPI()
MENU = os.environ["MENU"]


@app.get("/")
def index():
    return MENU
