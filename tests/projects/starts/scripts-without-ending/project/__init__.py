from fastapi import FastAPI

from project.queue import make_queue


def create_app() -> FastAPI:
    app = FastAPI()
    app.celery_app = make_queue()
    from project.users import tasks  # noqa: F401

    return app
