from celery import Celery
from kombu import Exchange, Queue

celery_app = Celery("studio", broker="redis://redis:6379/0", backend="redis://redis:6379/0")
media = Exchange("media", type="direct")

celery_app.conf.update(
    task_default_queue="studio",
    task_queues=(
        Queue("studio", media, routing_key="studio", queue_arguments={"x-max-priority": 10}),
        Queue("encoding", media, routing_key="encoding"),
    ),
    task_default_exchange="media",
    task_default_routing_key="studio",
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_transport_options={"priority_steps": [0, 3, 6, 9], "queue_order_strategy": "priority"},
)


@celery_app.task(queue="encoding")
def encode(file):
    name, _ = file.split(".")
    return f"{name}.mp4"


@celery_app.task(priority=9)
def preview(frame):
    return f"frame {frame}"
