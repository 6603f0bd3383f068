from weather.background.queue import queue
from weather.data.sky import SKIES


@queue.task
def forecast(city):
    sky = SKIES[city]
    return f"{city}: {sky}"
