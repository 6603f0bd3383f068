from flask import Flask

from webapp.extensions import celery


def create_app(config="webapp.config.Development"):
    app = Flask(__name__)
    app.config.from_object(config)
    celery.conf.update(broker_url=app.config["REDIS_URL"], result_backend=app.config["REDIS_URL"])

    class ContextTask(celery.Task):
        def __call__(self, *args, **kwargs):
            with app.app_context():
                return self.run(*args, **kwargs)

    celery.Task = ContextTask

    from webapp.auth import auth

    app.register_blueprint(auth, url_prefix="/auth")
    return app
