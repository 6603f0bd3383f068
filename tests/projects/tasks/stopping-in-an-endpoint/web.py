from celery import Celery
from fastapi import FastAPI

celery = Celery("web", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")
api = FastAPI()


@celery.task
def later(n):
    return n * 2


@api.get("/stop/{n}")
def stop(n: int):
    breakpoint()
    return {"n": n}


@api.get("/wait/{n}")
async def wait(n: int):
    doubled = n + n
    return {"n": doubled}
