from fastapi import FastAPI

from counter.tasks import counts, visit

app = FastAPI()


@app.get("/")
def index():
    return {"counter": int(counts.get("home") or 0)}


@app.post("/{page}")
def post(page: str):
    return visit.delay(page).id
