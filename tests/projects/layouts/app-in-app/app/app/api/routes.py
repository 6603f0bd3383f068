from fastapi import APIRouter

from app.worker.tasks import check

router = APIRouter()


@router.get("/health")
def health():
    return "green"


@router.post("/checks/{number}")
def start(number: int):
    return {"id": check.delay(number).id}
