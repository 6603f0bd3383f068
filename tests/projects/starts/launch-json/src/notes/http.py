from fastapi import FastAPI

notes = FastAPI()


@notes.get("/")
def index():
    return "notes"
