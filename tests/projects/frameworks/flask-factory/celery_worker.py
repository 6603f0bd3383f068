from webapp import create_app
from webapp.extensions import celery  # noqa: F401

app = create_app()
app.app_context().push()
