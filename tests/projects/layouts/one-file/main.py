from celery import Celery
from celery.result import AsyncResult
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI(title="Word counter")
celery = Celery(__name__, broker="redis://localhost:6379/0", backend="redis://localhost:6379/0")


class Text(BaseModel):
    text: str


@celery.task
def count_words(text):
    words = text.split()
    return len(words)


@app.get("/health")
def health():
    return "fine"


@app.post("/words", status_code=202)
def count(body: Text):
    return {"task_id": count_words.delay(body.text).id}


@app.get("/words/{task_id}")
def result(task_id: str):
    task = AsyncResult(task_id, app=celery)
    return {"status": task.status, "result": task.result if task.successful() else None}
