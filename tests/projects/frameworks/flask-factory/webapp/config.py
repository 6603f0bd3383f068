class Development:
    DEBUG = True
    REDIS_URL = "redis://redis:6379/0"
    SENDER = "noreply@example.org"
