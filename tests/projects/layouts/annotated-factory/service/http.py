from fastapi import APIRouter, FastAPI

from service.worker.tasks import invoice

router = APIRouter(prefix="/api")


@router.get("/ping")
async def ping() -> str:
    return "pong"


@router.post("/invoices", status_code=202)
async def create(order: dict) -> dict:
    return {"id": invoice.delay(order).id}


def build() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    return app


app = build()
