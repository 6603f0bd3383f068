from fastapi import FastAPI

from core.tasks.budget_tasks import evaluate

api = FastAPI()


@api.get("/")
def index():
    return "budget"


@api.post("/evaluate")
def run(month: int):
    return {"id": evaluate.delay(month).id}
