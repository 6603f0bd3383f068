from fastapi import FastAPI

app = FastAPI(title="not started by anybody yet")
