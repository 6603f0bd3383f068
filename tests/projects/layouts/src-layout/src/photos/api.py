from fastapi import FastAPI

from photos import __version__

api = FastAPI()


@api.get("/version")
def version():
    return __version__
