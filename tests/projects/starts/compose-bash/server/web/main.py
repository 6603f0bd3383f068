from fastapi import FastAPI

from jobs.main import lookup

app = FastAPI()


@app.get("/")
def index():
    return "lexicon"


@app.get("/{word}")
def word(word: str):
    return lookup.delay(word).id
