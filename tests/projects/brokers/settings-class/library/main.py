from fastapi import FastAPI

from library.tasks import lend

app = FastAPI()


@app.get("/")
def index():
    return "library"


@app.post("/{book}")
def borrow(book: str):
    return lend.delay(book).id
