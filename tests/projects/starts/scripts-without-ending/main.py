from project import create_app

app = create_app()
celery = app.celery_app


@app.get("/ping")
def ping():
    return "pong!"
