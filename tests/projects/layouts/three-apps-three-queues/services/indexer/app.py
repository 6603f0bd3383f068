from celery import Celery

indexer = Celery("indexer", broker="redis://broker:6379/0", backend="redis://broker:6379/1")
indexer.conf.task_default_queue = "indexer"


@indexer.task(name="indexer.index")
def index(text):
    return sorted(text.split())
