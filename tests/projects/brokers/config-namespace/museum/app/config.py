import os


class Config:
    REDIS_HOST = os.environ.get("REDIS_HOST", "redis")
    REDIS_PORT = int(os.environ.get("REDIS_PORT", 6379))
    MUSEUM_BROKER_URL = f"redis://{REDIS_HOST}:{REDIS_PORT}/0"
    MUSEUM_RESULT_BACKEND = f"redis://{REDIS_HOST}:{REDIS_PORT}/1"
    MUSEUM_TASK_TRACK_STARTED = True
