from fastapi import FastAPI

from weather.background.jobs import forecast

server = FastAPI()


@server.get("/")
def index():
    return "weather"


@server.get("/forecast/{city}")
def start(city: str):
    return forecast.delay(city).id
