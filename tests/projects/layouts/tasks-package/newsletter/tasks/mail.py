from ..worker import worker


@worker.task
def render(name):
    greeting = f"Dear {name.title()},"
    return greeting
