from celery import Celery

app = Celery("lexicon", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
