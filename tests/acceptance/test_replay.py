"""`devkit replay`: what failed in a real worker fails here in the same way, and nothing gets out."""

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.acceptance.dialogues import plain_worker
from tests.acceptance.harness import DEVKIT, Json, Project, running_redis, wait_until
from tests.acceptance.replaying import PROGRAM, SENT, Failing, Poison

SAME, OTHER, PASSES, CANNOT = "same failure", "different failure", "passes now", "cannot replay"
KEYS = {"id", "task", "verdict", "why", "exception", "original_exception", "runtime_s", "sent", "mutated"}
# One for each way to fail; and what is said about it.
VERDICTS = {
    "divide-1": (SAME, "ZeroDivisionError in divide: division by zero"),
    "chain-1": (SAME, "ZeroDivisionError in divide: division by zero"),
    "chord-1": (SAME, "ZeroDivisionError in divide: division by zero"),
    "soft-1": (SAME, "SoftTimeLimitExceeded"),
    "hard-1": (SAME, "TimeLimitExceeded"),
    "killed-1": (SAME, r"WorkerLostError: .* signal 9 \(SIGKILL\)\."),
    "exits-1": (SAME, r"WorkerLostError: .* exitcode 3\."),
    "sys_exits-1": (SAME, r"WorkerLostError: .* exitcode 1\."),
    "mended-1": (PASSES, r"mended returned \[5, 'mended'\]"),
    "other-1": (OTHER, "ValueError in other, now KeyError in other"),
    "auto-1": (SAME, "OSError in auto: ann is busy"),
    "on_failure-1": (SAME, "LookupError in Shop.on_failure: on_failure itself"),
    "order-1": (SAME, "RuntimeError in order: nobody has 3, due 2026-05-04"),
    "order-2": (SAME, "ValidationError: 1 validation error for Order .*"),
    "typed-1": (SAME, r"ValueError in typed: \['datetime', 'Decimal', 'UUID', 'bytes'\] 1\.10 4 b'\\xff\\x00'"),
    "backwards-1": (SAME, "ZeroDivisionError in divide: division by zero"),
    "large-1": (SAME, "ValueError in large: 4000000 characters"),
    "large-2": (CANNOT, r"the arguments are 5.7 MB, .* failures_mb.*"),
    "two-1": (SAME, "Two in two: 1 and 2"),
    "rejects-1": (SAME, "Reject in rejects: .*no such thing.*"),
    "no_json-1": (SAME, "EncodeError: Object of type object is not JSON serializable"),
    "deep-1": (SAME, "RecursionError in deep: maximum recursion depth exceeded.*"),
    "forks-1": (SAME, "ValueError in forks: in the parent"),
    "noisy-1": (SAME, r"ValueError in noisy: \\x1b]0;title\\x07\\x1b\[2J\\x00y+…"),
    "messy-1": (SAME, "ValueError in messy: a mess"),
    "waits-1": (CANNOT, r"it waits for the result of tasks\.done, which it has sent, .*"),
    "gone-1": (CANNOT, r"the project has no task tasks\.gone"),
    "unheard_of-1": (CANNOT, r"the project has no task tasks\.unheard_of.*"),
    "too-few-1": (SAME, r"TypeError: divide\(\) missing 1 required positional argument: 'y'"),
    "changed-1": (CANNOT, r"the arguments no longer fit tasks\.changed\(x, \*, z\): missing .* 'z'"),
    # The message is a hash of all that `self.request` holds.
    "request-1": (SAME, r"RuntimeError in request: 0 \{'shop': 'north'\} [0-9a-f]{16}"),
    "request-2": (SAME, "RuntimeError in request: 2 None [0-9a-f]{16}"),
}


@pytest.fixture(scope="module")
def together(failed: Failing) -> dict[str, Json]:
    """What comes of all of these at once, by id."""
    before = failed.stored()
    done = failed.project.run(DEVKIT, "replay", *VERDICTS, "--json").expect(1)
    assert failed.stored() == before
    assert "a replay: True by its class: True" in done.err
    assert "32 failures: " in done.err
    documents = done.json()  # all of standard output, much as the tasks print
    assert [one["id"] for one in documents] == list(VERDICTS)
    return {one["id"]: one for one in documents}


def test_the_command_that_the_log_shows(failed: Failing) -> None:
    failed.send(("divide", [3, 0], {}, {}))
    line = r"devkit: tasks\.divide failed, ZeroDivisionError: division by zero · (devkit replay [0-9a-f]{8})$"
    wait_until(lambda: len(re.findall(line, failed.worker.err, re.MULTILINE)) == 1, why=lambda: failed.worker.err)
    command = re.findall(line, failed.worker.err, re.MULTILINE)[0].split()

    done = failed.project.devkit(*command[1:]).expect(1)

    at = PROGRAM.splitlines().index("    return x / y") + 1
    assert re.fullmatch(
        r"Traceback \(most recent call last\):\n"
        rf'  File ".*/?tasks\.py", line {at}, in divide\n    return x / y\n           ~~\^~~\n'
        r"ZeroDivisionError: division by zero\n"
        r"same failure: ZeroDivisionError in divide: division by zero \(\d\.\d\d s\)\n",
        done.out,
    )
    assert re.fullmatch(rf"tasks\.divide\(x=3, y=0\)  {command[2]}[-0-9a-f]{{28}}, failed \d+ s ago\n", done.err)


@pytest.mark.parametrize("task_id", VERDICTS)
def test_each_verdict(together: dict[str, Json], task_id: str) -> None:
    kind, why = VERDICTS[task_id]
    document = together[task_id]
    assert set(document) == KEYS
    assert document["verdict"] == kind
    assert re.fullmatch(why, document["why"], re.DOTALL), document["why"]
    assert (document["exception"] is None) is (kind in (PASSES, CANNOT))


@pytest.mark.parametrize("task_id", ["soft-1", "hard-1", "killed-1", "exits-1", "sys_exits-1", "messy-1", "forks-1"])
def test_one_that_takes_its_process_with_it_or_nearly(failed: Failing, task_id: str) -> None:
    """Alone, without a process to spare."""
    done = failed.replay(task_id).expect(1)
    assert re.search(rf"^same failure: {VERDICTS[task_id][1]} \(\d\.\d\d s\)$", done.out, re.MULTILINE) or (
        task_id == "messy-1" and "same failure" in done.out
    )
    left = [text for text in failed.project.processes().values() if " replay " in text]
    assert left == []


def test_as_json(failed: Failing) -> None:
    document = failed.replayed("changes-1")

    assert document.pop("runtime_s") < 5
    assert document == {
        "id": "changes-1", "task": "tasks.changes", "verdict": SAME, "why": "ValueError in changes: they were [1, 2]",
        "exception": "ValueError: they were [1, 2]", "original_exception": "ValueError: they were [1, 2]", "sent": [],
        "mutated": [
            {"name": "items", "before": "[1, 2]", "after": "[1, 2, 3]"},
            {"name": "options", "before": "{}", "after": "{'seen': True}"},
        ],
    }  # fmt: skip


def test_what_it_changed_in_place_is_told(failed: Failing) -> None:
    done = failed.replay("changes-1").expect(1)
    assert "changed its argument items: [1, 2] → [1, 2, 3]\nchanged its argument options: {} → " in done.out
    assert "password=***" in done.err
    assert "hunter22" not in done.out + done.err


def test_other_arguments(failed: Failing) -> None:
    passes = failed.replay("divide-1", "--args", "[1]", "--kwargs", '{"y": 4}').expect(0)
    assert re.fullmatch(r"passes now: divide returned 0\.25 \(\d\.\d\d s\)\n", passes.out)
    fits_not = failed.replay("divide-1", "--args", "[1, 2]").expect(125)
    assert fits_not.out == (
        "cannot replay: the arguments no longer fit tasks.divide(x, y): multiple values for argument 'y'\n"
    )
    assert fits_not.err.endswith("\n  mend: --args or --kwargs gives it others\n")


def test_a_different_failure(failed: Failing) -> None:
    done = failed.replay("other-1").expect(1)
    assert re.search(r"^then +≠? *│? *now$|^then .* now$", done.out, re.MULTILINE)
    assert re.search(r"^ValueError: x +≠ KeyError: 'x'$", done.out, re.MULTILINE)
    assert failed.replay("other-1", "--same").code == 125
    assert failed.replay("divide-1", "--same").code == 1


def test_what_it_sends_is_told_and_not_sent(failed: Failing) -> None:
    before, runs = failed.stored(), failed.runs

    done = failed.replay("sends-1").expect(1)

    assert failed.stored() == before
    assert failed.runs == runs
    assert done.out.split("after sending\n", 1)[1].startswith(
        "not sent: tasks.done(7, 'one') (queue=aside)\n"
        "not sent: tasks.done('first'), then tasks.done (queue=aside)\n"
        "not sent: tasks.done(0) (queue=aside)\n"
        "not sent: tasks.done(1) (queue=aside)\n"
        "not sent: tasks.done('part'), then with all results tasks.total (queue=aside)\n"
        "not sent: tasks.done('part'), then with all results tasks.total (queue=aside)\n"
        "not sent: elsewhere.task(7) (queue=aside, countdown=30.0, eta="
    )
    assert re.search(r"^same failure: RuntimeError in sends: after sending \(", done.out, re.MULTILINE)


def test_live_it_is_sent(failed: Failing) -> None:
    failed.queue("aside")

    document = failed.replayed("sends-1", "--live")

    names = [message["headers"]["task"] for message in failed.queue("aside")]
    assert names == [sent["task"] for sent in document["sent"]] == ["tasks.done"] * 6 + ["elsewhere.task"]
    waits = failed.replay("waits-1", "--live").expect(0)
    assert "sent: tasks.done(7)\n" in waits.out
    assert "passes now: waits returned 'done'" in waits.out


def test_what_takes_its_place_and_what_is_tried_again(failed: Failing) -> None:
    before = failed.stored()
    replaced = failed.replayed("replaces-1")
    assert (replaced["verdict"], replaced["sent"][0]["kind"], replaced["sent"][0]["call"]) == (PASSES, "replace", "7")
    assert failed.stored() == before

    failed.send(("retries", ["x"], {}, {"task_id": "retries-1"}))
    wait_until(lambda: failed.project.devkit("show", "retries-1").code == 0)
    before = failed.stored()
    retried = failed.replayed("retries-1")
    assert (retried["verdict"], retried["sent"][0]["kind"]) == (SAME, "retry")
    assert retried["sent"][0]["countdown"] == pytest.approx(600, abs=2)
    assert failed.stored() == before


def test_pickles_are_not_read_unless_allowed(failed: Failing, tmp_path: Path) -> None:
    poisoned = tmp_path / "poisoned"
    failed.send(("divide", [1, 0], {}, {"task_id": "pickle-1", "serializer": "pickle"}))
    failed.send(("divide", [1, 0, Poison(poisoned)], {}, {"task_id": "pickle-2", "serializer": "pickle"}))
    failed.wait_for_records("pickle-1", "pickle-2")
    poisoned.rmdir()  # by the worker, which accepts it
    case, other = str(tmp_path / "case.json"), str(tmp_path / "poison.json")

    refused = failed.replay("pickle-1").expect(125)
    assert refused.out == "cannot replay: its arguments are pickled, and reading those can run any code\n"
    assert "--allow-pickle" in refused.err
    assert "ZeroDivisionError in divide" in failed.replay("pickle-1", "--allow-pickle").expect(1).out
    assert "--with-secrets" in failed.replay("pickle-1", "--save", case).expect(2).err
    failed.replay("pickle-1", "--save", case, "--with-secrets").expect(0)
    failed.replay("pickle-2", "--save", other, "--with-secrets").expect(0)
    assert failed.replay(case).code == 125
    assert failed.replay(case, "--allow-pickle").code == 1
    for many in (["pickle-2", other, "--check"], ["pickle-2", other], ["pickle-2", "--to-test", "test_it.py"]):
        assert "pickled" in failed.replay(*many).out
    assert not poisoned.exists()
    failed.replay(other, "--check", "--allow-pickle").expect(1)
    assert poisoned.exists()  # it is one


STORED = """
@app.task
def stores(items, extended):
    app.conf.result_extended = extended
    items.append(2)
    raise ValueError(f"{len(items)} items")
"""


def test_from_a_worker_without_devkit(empty: Project, tmp_path: Path) -> None:
    """Celery's own results hold the arguments, as the task left them, or they do not."""
    empty.write({"tasks.py": PROGRAM + STORED})
    (tmp_path / "redis").mkdir()
    with running_redis(tmp_path / "redis") as url:
        empty.environ |= {"CELERY_BROKER_URL": f"{url}/0", "CELERY_RESULT_BACKEND": f"{url}/1", "C_FORCE_ROOT": "1"}
        with plain_worker(empty, "-c", "1"):
            for extended in ("true", "false"):
                empty.devkit("run", "stores", "--args", f"[[1], {extended}]").expect(1)
        found = {one["task"]: one["id"] for one in empty.devkit("failures", "--json").expect(0).json()}

        held = empty.devkit("replay", found["tasks.stores"][:8]).expect(1)
        assert "\narguments: as the task left them" in held.err
        assert "different failure: ValueError in stores: “2 items”, now “3 items”" in held.out
        bare = empty.devkit("replay", found[""]).expect(125)
        assert bare.out.startswith("cannot replay: ")
        assert "result_extended=True" in bare.out + bare.err
        with closing(Redis.from_url(f"{url}/1")) as redis:
            redis.flushdb()
        expired = empty.devkit("replay", found["tasks.stores"]).expect(125)
        assert "there is no failed task" in expired.out


def test_all_that_failed_since(failed: Failing) -> None:
    assert failed.replay("--all", "--task", "mended").expect(0).out.startswith("mended-1  mended(x=5)  passes now: ")
    assert failed.replay("--all", "--task", "tasks.gone").expect(125).out.startswith("gone-1  gone()  cannot replay")
    other = ["--all", "--task", "other", "--since", "1h"]
    assert failed.replay(*other).code == 1
    assert failed.replay(*other, "--same").code == 125
    none = failed.replay("--all", "--task", "divide", "--since", "0s").expect(0)
    assert (none.out, none.err) == ("", "no failure of divide since 0s\n")
    assert "is no time" in failed.replay("--all", "--since", "soon").expect(2).err


def test_whether_arguments_still_fit(failed: Failing) -> None:
    before = failed.stored()
    ids = ["divide-1", "killed-1", "changed-1", "gone-1", "order-1"]

    done = failed.replay(*ids, "--check").expect(1)

    assert [line.partition("  ")[2] for line in done.out.splitlines()] == [
        "tasks.divide: fits",
        "tasks.killed: fits",
        "tasks.changed: the arguments no longer fit tasks.changed(x, *, z): missing a required argument: 'z'",
        "tasks.gone: the project has no task tasks.gone",
        "tasks.order: fits",
    ]
    assert failed.stored() == before
    assert failed.replay("divide-1", "order-1", "--check").code == 0
    found: list[Any] = failed.replay("--all", "--check", "--json").expect(1).json()
    fits = {one["id"]: one["fits"] for one in found}
    assert fits["divide-1"]
    assert not fits["gone-1"]
    assert set(fits) >= {options["task_id"] for *_, options in SENT}
    assert [one["why"] for one in found if one["id"] == "divide-1"] == [None]


def test_sent_back_it_runs_again(failed: Failing) -> None:
    runs = failed.runs
    many = ["divide-1", "request-2"]
    assert "add --yes" in failed.replay(*many, "--send").expect(2).err
    assert failed.runs == runs

    failed.queue("aside")
    shown = failed.replay(*many, "--send", "--yes", "--queue", "aside").expect(0)
    assert shown.out == "sent tasks.divide(x=1, y=0) divide-1 to aside\nsent tasks.request(x=1) request-2 to aside\n"
    divide, request = failed.queue("aside")
    assert (divide["headers"]["id"], request["headers"]["id"], request["headers"]["retries"]) == (*many, 2)
    assert failed.runs == runs

    before = failed.result("order-1")
    assert before
    document = failed.replay("order-1", "--send", "--json").expect(0).json()
    assert document == {"id": "order-1", "task": "tasks.order", "queue": "celery"}
    wait_until(lambda: (failed.result("order-1") or {})["date_done"] > before["date_done"])
    assert failed.runs == runs + 1
    unkept = failed.replay("large-2", "--send").expect(125)
    assert "failures_mb" in unkept.err + unkept.out
