broker_url = "redis://redis:6379/0"
result_backend = "redis://redis:6379/0"
task_routes = (
    [
        ("city.traffic.*", {"queue": "traffic"}),
        ("city.lights.*", {"queue": "lights", "routing_key": "lights"}),
    ],
)
