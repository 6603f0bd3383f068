from fastapi import FastAPI

from newsletter.tasks.mail import render

web = FastAPI()


@web.get("/")
def index():
    return {"service": "newsletter"}


@web.post("/render/{name}")
def render_one(name: str):
    return {"id": render.delay(name).id}
