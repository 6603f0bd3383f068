from fastapi import FastAPI

from core.celery_app import celery_app

app = FastAPI()


@app.get("/api/v1/status")
async def status():
    return {"status": "up", "queue": celery_app.main}
