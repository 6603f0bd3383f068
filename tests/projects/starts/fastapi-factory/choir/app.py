from fastapi import APIRouter, FastAPI

songs = APIRouter(prefix="/api/songs")


@songs.get("")
async def index() -> str:
    return "la la"


def create_app(prefix: str = "") -> FastAPI:
    app = FastAPI(title="choir")
    app.include_router(songs, prefix=prefix)
    return app
