from fastapi import FastAPI

app = FastAPI(title="users")


@app.get("/users")
def users():
    return "no users"
