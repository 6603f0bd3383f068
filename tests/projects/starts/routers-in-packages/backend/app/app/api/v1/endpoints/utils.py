from fastapi import APIRouter

from app.core.celery_app import celery_app

router = APIRouter()


@router.get("/health-check/")
def health() -> bool:
    return True


@router.post("/test-celery/", status_code=201)
def test(word: str) -> dict:
    celery_app.send_task("app.worker.test_celery", args=[word])
    return {"msg": "Word received"}
