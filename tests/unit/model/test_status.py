"""What a stack tells about itself, over the socket and as JSON."""

import json

from devkit.model.status import ServiceStatus, StackStatus

WORKER = ServiceStatus(
    name="worker",
    state="ready",
    pid=11,
    url=None,
    ready_s=0.5,
    restarts=1,
    generation=2,
    note="killed",
    how="celery worker",
)
API = ServiceStatus("api", "failed", None, "http://127.0.0.1:8000", None, 0, 1, "", "uvicorn main:app")
STACK = StackStatus(
    project="/p",
    pid=10,
    uptime_s=3.5,
    services=(WORKER, API),
    tasks=("tasks.add", "tasks.div"),
    environ={"CELERY_BROKER_URL": "redis://:secret@127.0.0.1:6379/0"},
)


def test_a_status_comes_over_the_wire_as_it_was() -> None:
    for status in (STACK, StackStatus("/p", None, None, ())):
        assert StackStatus.from_wire(json.loads(json.dumps(status.to_wire()))) == status


def test_the_json_document_has_the_keys_that_are_promised_and_no_others() -> None:
    assert STACK.to_json() == {
        "project": "/p",
        "pid": 10,
        "uptime_s": 3.5,
        "services": [
            {
                "name": "worker",
                "state": "ready",
                "pid": 11,
                "url": None,
                "ready_s": 0.5,
                "restarts": 1,
                "generation": 2,
                "note": "killed",
            },
            {
                "name": "api",
                "state": "failed",
                "pid": None,
                "url": "http://127.0.0.1:8000",
                "ready_s": None,
                "restarts": 0,
                "generation": 1,
                "note": "",
            },
        ],
    }


def test_without_a_stack_the_document_is_the_same_but_empty() -> None:
    assert StackStatus("/p", None, None, ()).to_json() == {
        "project": "/p",
        "pid": None,
        "uptime_s": None,
        "services": [],
    }
