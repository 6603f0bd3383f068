from fastapi import FastAPI

from gallery.broker import celery_app

api = FastAPI()


@api.get("/health")
def health():
    return {"status": "ok"}


@api.post("/pictures/{picture}", status_code=202)
def publish(picture: str):
    return {"id": celery_app.send_task("gallery.jobs.publish", [picture]).id}
