from celery import Celery

app = Celery("jobs", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")


@app.task
def safe(n):
    return n + 1  # safe


@app.task
def plain(n):
    import pdb; pdb.set_trace()
    return n + 1


@app.task
def pretty(n):
    import ipdb; ipdb.set_trace()
    return n + 1


@app.task
def full(n):
    import pudb; pudb.set_trace()
    return n + 1


@app.task
def vscode(n):
    import debugpy; debugpy.breakpoint()
    return n + 1
