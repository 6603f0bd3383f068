from fastapi import FastAPI

from mails.worker import welcome
from reports.worker import turnover

api = FastAPI()


@api.get("/")
def index():
    return {"name": "shop"}


@api.post("/customers/{address}")
def customer(address: str):
    return [welcome.delay(address).id, turnover.delay([1, 2]).id]
