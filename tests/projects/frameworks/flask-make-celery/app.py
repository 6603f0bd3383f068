from celery import Celery
from flask import Flask, current_app

app = Flask(__name__)
app.config.update(
    MARK="!",
    CELERY_BROKER_URL="redis://localhost:6379/0",
    CELERY_RESULT_BACKEND="redis://localhost:6379/0",
)


def make_celery(app):
    celery = Celery(app.import_name, broker=app.config["CELERY_BROKER_URL"])
    celery.conf.result_backend = app.config["CELERY_RESULT_BACKEND"]

    class ContextTask(celery.Task):
        def __call__(self, *args, **kwargs):
            with app.app_context():
                return self.run(*args, **kwargs)

    celery.Task = ContextTask
    return celery


celery = make_celery(app)


@celery.task()
def shout(text):
    words = text.upper() + current_app.config["MARK"]
    return words


@app.route("/")
def index():
    return "flask says hello"


if __name__ == "__main__":
    app.run(debug=True)
