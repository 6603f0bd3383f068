"""What a stack tells about itself, over the socket and as JSON."""

import json
from typing import Any

import pytest

from devkit.errors import DevkitError
from devkit.model.status import ServiceStatus, StackStatus, StartedWith

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
    started_with=StartedWith("a:b", "/p/src", "/p/.venv/bin/python", "m:a", "/p", ("/p/a.env",), "q", "solo", 3),
)


def test_a_status_comes_over_the_wire_as_it_was() -> None:
    for status in (STACK, StackStatus("/p", None, None, ())):
        assert StackStatus.from_wire(json.loads(json.dumps(status.to_wire()))) == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"environ": {"PYTHONPATH": "/tmp/x"}},
        {"environ": {"CELERY_BROKER_URL": 1}},
        {"environ": {"CELERY_BROKER_URL": "redis://\0"}},
        {"environ": {"CELERY_BROKER_URL": "redis://\ud800"}},
        {"environ": ["CELERY_BROKER_URL"]},
        {"environ": None},
        {"tasks": [1]},
        {"tasks": None},
        {"services": [{}]},
        {"services": 1},
        {"of": "another version"},
        *(
            {"started_with": {**STACK.to_wire()["started_with"], **wrong}}  # type: ignore[dict-item]
            for wrong in (
                {"celery": 1},
                {"celery": "a:b\n"},
                {"celery": None},
                {"celery_folder": "src"},
                {"python": ""},
                {"python": "python"},
                {"env_files": ["a.env"]},
                {"env_files": [1]},
                {"env_files": 1},
                {"queues": 1},
                {"api_folder": "src"},
                {"concurrency": "3"},
                {"pool": "\ud800"},
                {"and": "more"},
            )
        ),
        {"started_with": {}},
        {"started_with": []},
    ],
    ids=repr,
)
def test_what_no_stack_of_devkits_tells_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DevkitError, match="of another version"):
        StackStatus.from_wire(STACK.to_wire() | wrong)


@pytest.mark.parametrize("answer", [[], 1, None, "text", {}])
def test_what_is_no_status_is_refused(answer: Any) -> None:
    with pytest.raises(DevkitError, match="of another version"):
        StackStatus.from_wire(answer)


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
