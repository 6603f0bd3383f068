"""The HTTP API: each POST sends a task and answers at once, GET /tasks/{task_id} tells what became of it."""

from typing import Annotated, Any

from celery.canvas import Signature
from fastapi import FastAPI, HTTPException
from kombu.exceptions import OperationalError
from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from sample_app import tasks
from sample_app.celery_app import celery_app

# Someone waits for each answer, so this process gives up on a dead Redis within seconds. By default Celery
# tries for 20 seconds, and for minutes or for ever if Redis takes the connection but says nothing. Nobody
# waits for the worker, which keeps that patience.
GIVE_UP_SOON = {"max_retries": 2, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 1}
SOCKET_TIMEOUT_S = 1.0
celery_app.conf.update(
    task_publish_retry_policy=GIVE_UP_SOON,
    broker_transport_options={"socket_connect_timeout": SOCKET_TIMEOUT_S, "socket_timeout": SOCKET_TIMEOUT_S},
    result_backend_transport_options={"retry_policy": GIVE_UP_SOON},
    redis_socket_connect_timeout=SOCKET_TIMEOUT_S,
    redis_socket_timeout=SOCKET_TIMEOUT_S,
)

app = FastAPI(
    title="sample_app",
    description="A small FastAPI + Celery application.",
    responses={503: {"description": "The broker or the result backend does not answer"}},
)


class Division(BaseModel):
    x: int | float
    y: int | float


class Report(BaseModel):
    pages: int = Field(ge=1, le=1000)
    seconds_per_page: float = Field(default=0.3, ge=0, le=10)


class Quote(BaseModel):
    symbol: str = Field(min_length=1, max_length=10)
    failure_chance: float = Field(default=0.5, ge=0, le=1, description="0 never fails, 1 always does")


class Workflow(BaseModel):
    numbers: Annotated[list[int | float], Field(min_length=1, max_length=100)]


class Accepted(BaseModel):
    task_id: str
    status_url: str


class Progress(BaseModel):
    done: int
    total: int


class TaskStatus(BaseModel):
    task_id: str
    state: str = Field(description="PENDING also means: no such task. Celery cannot tell the two apart.")
    result: Any = None
    error: str | None = None
    progress: Progress | None = None


def send(signature: Signature) -> Accepted:
    try:
        task_id: str = signature.delay().id
    except (OperationalError, RuntimeError) as error:
        # OperationalError: the broker does not answer. RuntimeError: nor does Redis as the result backend,
        # where Celery subscribes to the result before it publishes the task.
        reason = error.__cause__ or error
        raise HTTPException(503, f"Task not sent, Redis does not answer: {reason}") from error
    return Accepted(task_id=task_id, status_url=app.url_path_for("read_task", task_id=task_id))


# Plain `def`, because talking to Redis blocks: FastAPI runs these in a thread, and goes on serving others.


@app.post("/divide", status_code=202)
def divide(body: Division) -> Accepted:
    """Divide x by y; y=0 fails."""
    return send(tasks.divide.s(body.x, body.y))


@app.post("/reports", status_code=202)
def build_report(body: Report) -> Accepted:
    """Build a report that takes a while and shows its progress."""
    return send(tasks.build_report.s(body.pages, body.seconds_per_page))


@app.post("/quotes", status_code=202)
def fetch_quote(body: Quote) -> Accepted:
    """Fetch a quote from a flaky service, with retries."""
    return send(tasks.fetch_quote.s(body.symbol, body.failure_chance))


@app.post("/workflows", status_code=202)
def sum_of_squares(body: Workflow) -> Accepted:
    """Add up the squares of some numbers: a chain of a chord and a task."""
    return send(tasks.sum_of_squares(body.numbers))


@app.get("/tasks/{task_id}")
def read_task(task_id: str) -> TaskStatus:
    """Show a task's state, then its result or its error."""
    try:
        # One read. AsyncResult asks again for each property while the task is not done, so that its `state`
        # and its `info` may be of two different moments.
        meta = celery_app.backend.get_task_meta(task_id)
    except RedisError as error:
        raise HTTPException(503, f"The result backend does not answer: {error}") from error
    status = TaskStatus(task_id=task_id, state=meta["status"])
    outcome = meta["result"]  # a result, an exception or the `meta` of update_state, as the state says
    if status.state == "SUCCESS":
        status.result = outcome
    elif status.state == "PROGRESS":
        status.progress = Progress(**outcome)
    elif isinstance(outcome, BaseException):  # FAILURE, REVOKED, and RETRY: what went wrong this time
        status.error = f"{type(outcome).__name__}: {outcome}"
    return status


@app.get("/")
async def index() -> dict[str, str]:
    """List what can be done here."""
    return {
        "POST /divide": 'divide {"x": 10, "y": 4}; with "y": 0 the task fails',
        "POST /reports": 'build a slow report of {"pages": 20} and watch its progress',
        "POST /quotes": 'fetch the quote of {"symbol": "ACME"} from a flaky service, with retries',
        "POST /workflows": 'add up the squares of {"numbers": [1, 2, 3]}',
        "GET /tasks/{task_id}": "see what became of a task",
        "GET /docs": "try it all in the browser",
    }
