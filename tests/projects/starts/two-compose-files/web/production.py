import os

from fastapi import FastAPI

BUCKET = os.environ["BUCKET"]
app = FastAPI(docs_url=None)


@app.get("/")
def index():
    return "production"
