from celery import Celery, chord, group

jobs = Celery("mapreduce", broker="redis://localhost:6379/0", backend="redis://localhost:6379/0")


@jobs.task
def square(x):
    return x * x


@jobs.task
def add_up(numbers):
    return sum(numbers)


@jobs.task(bind=True)
def squares(self, n):
    parts = group(square.s(x) for x in range(n))
    return self.replace(chord(parts, add_up.s()))
