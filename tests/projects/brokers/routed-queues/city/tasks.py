from city.app import app


@app.task(name="city.traffic.measure")
def measure(speed):
    if speed < 0:
        raise ValueError(f"nobody drives at {speed}")
    return f"{speed} km/h"


@app.task(name="city.lights.switch")
def switch():
    return "green"


@app.task
def count():
    return 7
