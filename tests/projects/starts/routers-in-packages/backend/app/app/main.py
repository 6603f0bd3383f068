from fastapi import FastAPI

from app.api.v1 import api_router

app = FastAPI(title="template", openapi_url="/api/v1/openapi.json")
app.include_router(api_router, prefix="/api/v1")
