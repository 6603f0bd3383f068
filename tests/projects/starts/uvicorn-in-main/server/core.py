from fastapi import FastAPI

from tasks import slugify

api = FastAPI()


@api.get("/healthz")
def healthz():
    return "alive"


@api.post("/slugs")
def slugs(title: str):
    return slugify.delay(title).id
