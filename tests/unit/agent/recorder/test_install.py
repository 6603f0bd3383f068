"""How the recorder comes into a worker, and what it makes of what Celery tells it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, signals
from celery.exceptions import Ignore, Reject, Retry
from celery.worker.request import Request
from kombu.message import Message

from devkit.agent import calls
from devkit.agent.recorder import install
from devkit.model.failure import Failure
from devkit.store.failures import open_store
from devkit.store.records import Limits


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a worker process has changed for good."""
    monkeypatch.setattr(calls, "_listeners", [])
    monkeypatch.setattr(install, "_writers", [])
    receivers = {signal: list(signal.receivers) for signal in (signals.task_unknown, signals.worker_shutdown)}
    yield
    for signal, before in receivers.items():
        signal.receivers[:] = before
        signal.sender_receivers_cache.clear()


class Own(Request):  # type: ignore[misc]
    """A project's."""


@pytest.fixture
def app() -> Iterator[Celery]:
    app = Celery("shop", broker="memory://", set_as_current=False)

    @app.task(shared=False, name="shop.total", Request=f"{__name__}:Own", acks_late=True)  # type: ignore[untyped-decorator]
    def total() -> None: ...

    yield app
    app.close()


@pytest.fixture
def folder(app: Celery, tmp_path: Path) -> str:
    folder = str(tmp_path / "failures")
    install.record(app, str(tmp_path), folder, Limits())
    return folder


def request(app: Celery, name: str = "shop.total") -> Any:
    task = app.tasks[name]
    message = Message(  # type: ignore[no-untyped-call]
        "[[], {}, {}]", headers={"id": "3f2a", "task": name}, properties={}, delivery_info={},
        content_type="application/json", content_encoding="utf-8", accept={"application/json"},
    )  # fmt: skip
    return task.Request(message, app=app, hostname="celery@host", task=task)


def kept(folder: str) -> list[Failure]:
    install.flush()
    store = open_store(folder)
    return [one for task_id in store.ids("") for one in store.attempts(task_id)]


def test_each_tasks_request_stays_the_projects_own(app: Celery, folder: str) -> None:
    assert isinstance(request(app), Own)
    assert all(issubclass(task.Request, install.Kept) for task in app.tasks.values())


@pytest.mark.parametrize(
    ("error", "acknowledged", "state"),
    [
        (ValueError("no"), False, "FAILURE"),
        (Retry(exc=ValueError("again")), False, "RETRY"),
        (Reject("no", requeue=False), False, "REJECTED"),
        (Reject("later", requeue=True), False, "RETRY"),
        (Reject("later", requeue=True), True, "REJECTED"),  # too late: it never comes again
    ],
)
def test_what_becomes_of_the_task_is_what_celery_did(
    app: Celery, folder: str, error: Exception, acknowledged: bool, state: str
) -> None:
    made = request(app)
    made.acknowledged = acknowledged
    if isinstance(error, Reject):
        made.reject(error.requeue)
    made._keep(error, None)

    assert [one.state for one in kept(folder)] == [state]


def test_what_is_no_failure_is_not_kept(app: Celery, folder: str) -> None:
    request(app)._keep(Ignore(), None)
    request(app, "celery.chord_unlock")._keep(Retry(), None)  # it polls so
    terminated = request(app)
    terminated._already_revoked = True
    terminated._keep(SystemExit(1), None)

    assert kept(folder) == []


def test_a_run_is_kept_once(app: Celery, folder: str) -> None:
    made = request(app)
    made._keep(ValueError("first"), None)
    made._keep(ValueError("second"), None)

    assert [one.message for one in kept(folder)] == ["first"]


@pytest.mark.parametrize(("code", "ending"), [(3, "exitcode 3"), (None, "exitcode 0"), ("text", "exitcode 1")])
def test_the_exit_of_a_pools_process_is_worded_as_celery_does(app: Celery, folder: str, code: Any, ending: str) -> None:
    request(app)._keep(SystemExit(code), None)

    (one,) = kept(folder)
    assert (one.exception, one.message) == (
        "billiard.exceptions.WorkerLostError",
        f"Worker exited prematurely: {ending}.",
    )


def test_a_store_that_cannot_be_opened_is_told_of_and_the_worker_starts(
    app: Celery, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app.conf.result_backend = "redis://localhost:port/0"

    assert install.record(app, str(tmp_path), str(tmp_path), Limits()) is None
    assert "devkit: failures will not be kept: no address of a Redis" in capfd.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "many", ""])
def test_a_setting_that_is_no_number_is_told_of(
    text: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEVKIT_FAILURES_DAYS", text)

    assert install._number("DAYS", 14) == 14
    assert capfd.readouterr().err == f"devkit: DEVKIT_FAILURES_DAYS={text} is no number above zero; 14 is taken\n"


def test_settings_are_numbers_with_or_without_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVKIT_FAILURES_MB", "0.5")

    assert install.limits_of(7, 0.5, install._number("MB", 100)) == Limits(7, 43200, 2**19)


def test_devkits_own_worker_records_once_also_where_the_project_asks_for_it(app: Celery, tmp_path: Path) -> None:
    app.steps["worker"].add("devkit.agent.recorder:Recording")
    install.add_recorder(app, str(tmp_path), str(tmp_path), [1, 1, 1])
    (step,) = app.steps["worker"]

    assert step.name == install.NAME
