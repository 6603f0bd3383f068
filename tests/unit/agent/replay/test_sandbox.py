"""What a task that is run again sends and stores: nothing, unless it is to. With a real Redis where there is one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.unit.agent.replay.rerunning import Child, failure

SHOP = """
import os, threading
from celery import Celery, chain, chord, group
from celery.result import AsyncResult, GroupResult, allow_join_result

app = Celery("shop", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.task_routes = {"shop.mail": "mails"}
app.conf.task_track_started = True
app.conf.worker_deduplicate_successful_tasks = app.conf.task_acks_late = True
app.conf.task_always_eager = "EAGER" in os.environ
app.conf.task_protocol = int(os.environ.get("PROTOCOL", 2))
other = Celery("other", broker=os.environ["BROKER"], backend=os.environ["BACKEND"], set_as_current=False)

@app.task
def add(x, y=0, *rest): return x + y
@app.task
def mail(to, password=None): print("mailed")
@app.task
def fail(): 1 / 0
@app.task(bind=True)
def errback(self, request, error, traceback): print("errback ran", flush=True)
@app.task
def plain_errback(task_id): ...

@app.task
def sends(what): SENDS[what](); return what
SENDS = {
    "delay": lambda: mail.delay("ann", password="hunter2"),
    "options": lambda: add.apply_async((1,), countdown=5, queue="slow"),
    "by name": lambda: app.send_task("other.thing", (1,), {"x": 2}),
    "other app": lambda: other.send_task("other.thing"),
    "thread": lambda: [thread.start() or thread.join() for thread in [threading.Thread(target=add.delay, args=(1,))]],
    "chain": lambda: chain(add.s(1), mail.si("ann"), add.s(3)).apply_async(),
    "group": lambda: group(add.s(1), add.s(2)).apply_async(),
    "chord": lambda: chord([add.s(1), add.s(2)], mail.si("ann")).apply_async(),
    "chain to group": lambda: (add.s(1) | group(add.s(2), mail.si("ann")) | add.s(3)).apply_async(),
    "link": lambda: add.apply_async((1,), link=mail.si("ann")),
    "unwritable": lambda: add.delay(object()),
    "revoke": lambda: AsyncResult("some").revoke(),
    "event": lambda: add.send_event("task-x"),
    "state": lambda: add.update_state("original", "PROGRESS", {"done": 1}),
    "forget": lambda: AsyncResult("some").forget(),
    "save": lambda: group(add.s(1)).apply_async().save(),
    "nothing": lambda: None,
}

@app.task(bind=True)
def replaced(self, what): return self.replace({
    "task": add.s(1), "chain": chain(add.s(1), mail.si("x")), "group": group(add.s(1), add.s(2)),
}[what])

@app.task
def waits(how):
    with allow_join_result():
        if how == "get": return add.delay(1).get()
        if how == "group": return group(add.s(1), add.s(2)).apply_async().get()
        if how == "join": return group(add.s(1), add.s(2)).apply_async().join()
        if how == "chain": return chain(add.s(1), add.s(2)).apply_async().get()
        if how == "chord": return chord([add.s(1)], mail.si("ann")).apply_async().get()
        if how == "polls":
            result = add.delay(1)
            while not result.ready(): pass
        if how == "catches":
            try: add.delay(1).get()
            except: return "caught"
@app.task
def looks():
    result = add.delay(1)
    return [result.state, result.ready(), result.result]
@app.task
def waits_as_in_a_worker(): return add.delay(1).get()
@app.task
def reads(task_id):
    with allow_join_result():
        return AsyncResult(task_id).get(timeout=5)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(SHOP)
    return folder


@pytest.fixture(scope="module")
def child(folder: Path) -> Iterator[Child]:
    """For an app whose broker and backend nobody runs: whatever asks for them fails, after a long time."""
    child = Child(folder)
    yield child
    child.close()


@pytest.fixture(scope="module")
def client(redis: str) -> Iterator[Redis]:
    with Redis(unix_socket_path=redis.removeprefix("redis+socket://")) as client:
        yield client


@pytest.fixture(scope="module")
def connected(folder: Path, redis: str) -> Iterator[Child]:
    child = Child(folder, BROKER=redis, BACKEND=redis)
    yield child
    child.close()


def everything(client: Redis) -> dict[Any, Any]:
    keys: Any = client.keys()
    return {key: client.dump(key) for key in keys if b"kombu.binding" not in key}


def told(ended: Any, *names: str) -> list[Any]:
    return [tuple(sent[name] for name in names) for sent in ended["sent"]]


def test_what_it_sends_is_listed(child: Child) -> None:
    ended = child.run("sends", "delay")

    (sent,) = ended["sent"]
    assert ended["state"] == "SUCCESS"
    assert (sent["kind"], sent["task"], sent["call"]) == ("task", "shop.mail", "to='ann', password=***")
    assert (sent["queue"], sent["eta"], sent["countdown"], sent["then"], sent["chord"]) == (
        "mails",
        None,
        None,
        [],
        None,
    )
    assert len(sent["id"]) == 36


@pytest.mark.parametrize(
    ("what", "names", "sent"),
    [
        ("options", ("task", "queue", "countdown"), [("shop.add", "slow", 5.0)]),
        ("by name", ("task", "call"), [("other.thing", "1, x=2")]),
        ("other app", ("task",), [("other.thing",)]),
        ("thread", ("task",), [("shop.add",)]),
        ("chain", ("task", "then"), [("shop.add", ["shop.mail", "shop.add"])]),
        ("group", ("task", "call"), [("shop.add", "x=1"), ("shop.add", "x=2")]),
        ("chord", ("task", "chord"), [("shop.add", "shop.mail"), ("shop.add", "shop.mail")]),
        ("chain to group", ("task", "then"), [("shop.add", ["chord(shop.add, shop.mail → shop.add)"])]),
        ("link", ("task", "then"), [("shop.add", ["shop.mail"])]),
        ("revoke", ("kind", "task"), [("control", "revoke")]),
        ("event", ("task",), []),
        ("state", ("task",), []),
        ("forget", ("task",), []),
        ("save", ("task",), [("shop.add",)]),
    ],
)
def test_all_ways_to_send_and_to_store(child: Child, what: str, names: tuple[str, ...], sent: list[Any]) -> None:
    ended = child.run("sends", what)

    assert ended["state"] == "SUCCESS", ended["traceback"]
    assert told(ended, *names) == sent
    assert ended["runtime_s"] < 1, "nothing is asked"


def test_the_rest_of_its_own_canvas(child: Child) -> None:
    def task(name: str, **more: Any) -> dict[str, Any]:
        options = {"task_id": name, **more}
        return {
            "task": f"shop.{name}",
            "args": [],
            "kwargs": {},
            "options": options,
            "subtask_type": None,
            "immutable": False,
        }

    embed = {
        "chain": [task("fail"), task("add")],
        "callbacks": [task("mail")],
        "errbacks": [task("errback"), task("plain_errback")],
    }

    assert told(child.run("sends", "nothing", embed=embed), "task", "then") == [
        ("shop.mail", []),
        ("shop.add", ["shop.fail"]),
    ]
    # A chain that is itself part of a chord asks its backend, when it fails.
    embed["chain"] = [task("add", chord=task("mail"))]
    ended = child.run("fail", embed={**embed, "chord": task("mail")}, headers={"group": "g"})
    assert told(ended, "kind", "task") == [("errback", "shop.errback"), ("errback", "shop.plain_errback")]
    assert ended["runtime_s"] < 1
    assert "errback ran" not in child.out


@pytest.mark.parametrize(("what", "sent"), [
    ("task", [("replace", "shop.add")]),
    ("chain", [("replace", "shop.add")]),
    ("group", [("replace", "shop.add"), ("replace", "shop.add")]),
])  # fmt: skip
def test_replaced_by_another_task(child: Child, what: str, sent: list[Any]) -> None:
    ended = child.run("replaced", what)

    assert ended["state"] == "IGNORED"
    assert told(ended, "kind", "task") == sent


def test_arguments_that_no_message_can_hold_fail_as_in_a_worker(child: Child) -> None:
    ended = child.run("sends", "unwritable")

    assert (ended["exception"], ended["sent"]) == ("kombu.exceptions.EncodeError", [])


@pytest.mark.parametrize("how", ["get", "group", "join", "chain", "chord", "polls", "catches"])
def test_it_cannot_wait_for_what_was_not_sent(child: Child, how: str) -> None:
    cannot = child.ask(failure("shop.waits", [how]))["cannot"]

    assert cannot["kind"] == "waits"
    assert ("shop.mail" if how == "chord" else "shop.add") in cannot["why"]
    assert "--live" in cannot["mend"][0]


def test_it_can_look_after_what_it_sent(child: Child) -> None:
    assert child.run("looks")["result"] == "['PENDING', False, None]"


def test_waiting_is_forbidden_as_in_a_worker(child: Child) -> None:
    ended = child.run("waits_as_in_a_worker")

    assert (ended["exception"], ended["message"][:25]) == ("RuntimeError", "Never call result.get() w")


def test_what_is_delivered_again_is_run(child: Child) -> None:
    """A worker passes over what has succeeded in the meantime; it would have to ask for it."""
    delivery = {"exchange": "", "routing_key": "celery", "redelivered": True}

    assert child.run("add", 1, delivery_info=delivery)["result"] == "1"


@pytest.mark.parametrize("env", [{"EAGER": "1"}, {"PROTOCOL": "1"}])
def test_apps_of_other_kinds(folder: Path, env: dict[str, str]) -> None:
    child = Child(folder, **env)
    try:
        assert told(child.run("sends", "delay"), "task", "call") == [("shop.mail", "to='ann', password=***")]
        assert "mailed" not in child.out
    finally:
        child.close()


def test_a_project_without_results(folder: Path) -> None:
    child = Child(folder, BACKEND="disabled://")
    try:
        assert child.run("sends", "delay")["state"] == "SUCCESS"
        assert child.run("sends", "chord")["exception"] == "NotImplementedError"
    finally:
        child.close()


# --- with a Redis ---


def test_nothing_at_all_is_stored(connected: Child, client: Redis) -> None:
    client.set("celery-task-meta-original", b'{"status": "FAILURE", "result": null, "task_id": "original"}')
    before = everything(client)

    for what in ("nothing", "state", "chord", "chain to group", "save", "forget", "delay"):
        assert connected.run("sends", what)["state"] == "SUCCESS"
    member: dict[str, Any] = {
        "chord": {"task": "shop.mail", "args": [], "kwargs": {}, "options": {}, "subtask_type": None}
    }
    connected.run("add", 1, embed=member, headers={"group": "g"})
    connected.run("fail", embed=member, headers={"group": "g"})

    assert everything(client) == before


def test_other_tasks_results_can_be_read(connected: Child, client: Redis) -> None:
    client.set("celery-task-meta-older", b'{"status": "SUCCESS", "result": 42, "task_id": "older", "children": []}')

    assert connected.run("reads", "older")["result"] == "42"


def test_live(connected: Child, client: Redis) -> None:
    stored = b'{"status": "FAILURE", "result": null, "task_id": "original"}'
    client.set("celery-task-meta-original", stored)

    ended = connected.run("sends", "chord", order={"live": True})
    assert told(ended, "task", "chord") == [("shop.add", "shop.mail")] * 2
    assert client.llen("celery") == 2
    assert any(b".s" in key for key in everything(client)), "the size of the chord"
    assert connected.run("sends", "delay", order={"live": True})["state"] == "SUCCESS"
    assert client.llen("mails") == 1
    assert b"devkit_replay" not in client.lrange("mails", 0, 0)[0]
    keys = set(everything(client))
    member: dict[str, Any] = {
        "chord": {"task": "shop.mail", "args": [], "kwargs": {}, "options": {}, "subtask_type": None}
    }
    for task in ("add", "fail"):
        connected.ask(
            failure(f"shop.{task}", [1] if task == "add" else [], embed=member, headers={"group": "g"}), live=True
        )

    assert client.get("celery-task-meta-original") == stored
    assert set(everything(client)) == keys, "its part of the chord is not stored either"


def test_it_leaves_the_app_as_it_was(connected: Child, client: Redis) -> None:
    """One process runs several: what is sent after a replay that was not live goes out in one that is."""
    client.delete("mails")
    connected.run("sends", "delay")
    connected.run("sends", "delay", order={"live": True})
    connected.run("sends", "delay")

    assert client.llen("mails") == 1
