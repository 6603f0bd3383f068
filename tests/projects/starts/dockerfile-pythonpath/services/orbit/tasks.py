from celery import Celery
from shared.planets import DISTANCES

app = Celery("orbit", broker="redis://redis:6379/0", backend="redis://redis:6379/0")


@app.task
def distance(planet):
    kilometres = DISTANCES[planet]
    return kilometres
