from pathlib import Path

from celery import Celery

DATA = Path(__file__).parent / "data"
for folder in ("messages", "control", "results"):
    (DATA / folder).mkdir(parents=True, exist_ok=True)

app = Celery("boxes")
app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={
        "data_folder_in": str(DATA / "messages"),
        "data_folder_out": str(DATA / "messages"),
        "control_folder": str(DATA / "control"),
    },
    result_backend=f"file://{DATA / 'results'}",
)


@app.task
def pack(things):
    box = "+".join(things)
    return box
