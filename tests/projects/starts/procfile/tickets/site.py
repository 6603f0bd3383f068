from fastapi import FastAPI

from tickets.queue import book

site = FastAPI()


@site.get("/")
def index():
    return "tickets"


@site.post("/book")
def order(who: str, number: int):
    return book.delay(who, number).id
