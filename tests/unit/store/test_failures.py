"""What is kept of failed tasks: one suite over both stores."""

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from devkit.model.failure import Failure, Frame, Unreadable
from devkit.store.failures import FailureStore, choose, open_store
from devkit.store.records import Limits, StoreError
from devkit.store.redis_failures import FAILURES, RECORD, RETRIES, SIZES, TOTAL

UNLIMITED = Limits()
NOW = 1_700_000_000.0


def failure(task_id: str = "3f2a", age: float = 0.0, **changes: Any) -> Failure:
    """One that happened so many seconds before NOW."""
    made = Failure(
        id=task_id, task="shop.tasks.total", state="FAILURE", retries=0, exception="ZeroDivisionError",
        message="division by zero ü \udc80", traceback="Traceback …", frames=(
            Frame("/shop/tasks.py", 3, "total", "shop.tasks", "return x / y", True, {"x": "1", "y": "0"}),
        ),
        call="x=1, y=0", names=("x", "y"), headers={"id": task_id, "retries": 0, "deep": {"a": [None, 1.5]}},
        properties={"priority": None}, delivery_info={"routing_key": "celery"}, content_type="application/json",
        content_encoding="utf-8", failed_at=NOW - age, started_at=NOW - age - 2, worker="celery@host", revision="abc",
        body=b'[[1, 0], {}, {"chain": null}]',
    )  # fmt: skip
    return replace(made, **changes)


@pytest.fixture(params=["redis", "folder"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., FailureStore]:
    """Opens the same empty store, again and again."""
    if request.param == "folder":
        return lambda limits=UNLIMITED: open_store(str(tmp_path / ".devkit" / "failures"), limits)
    url = request.getfixturevalue("redis")
    client(url).flushall()
    return lambda limits=UNLIMITED: open_store(url, limits)


@pytest.fixture
def store(make: Callable[..., FailureStore]) -> FailureStore:
    return make()


def client(url: str) -> Redis:
    return Redis.from_url(url.replace("redis+socket", "unix"))


def newest(store: FailureStore, **how: Any) -> list[str]:
    return [one.id for one in store.newest(**how)]


def test_it_comes_back_as_it_was(store: FailureStore) -> None:
    kept = [failure("a"), failure("b", 1, body=None, missing="too large"), failure("c", 2, body=b"\x00\xff\r\n")]
    store.add(kept)

    assert store.newest(bodies=True) == kept
    assert [one.body for one in store.newest()] == [None, None, None]
    assert store.attempts("c") == [kept[2]]


def test_an_empty_one_has_nothing(store: FailureStore) -> None:
    assert store.newest() == []
    assert store.ids("") == []
    assert store.attempts("3f2a") == []


def test_the_newest_first_and_no_more_than_asked_for(store: FailureStore) -> None:
    store.add([failure(f"id-{age}", age) for age in (3, 1, 2, 400)])

    assert newest(store) == ["id-1", "id-2", "id-3", "id-400"]
    assert newest(store, limit=2) == ["id-1", "id-2"]
    assert newest(store, since=NOW - 2) == ["id-1", "id-2"]


def test_by_the_tasks_name_or_the_end_of_it(store: FailureStore) -> None:
    many = [
        failure(f"id-{age}", age, task="shop.tasks.total" if age % 50 else "shop.tasks.subtotal") for age in range(450)
    ]
    store.add(many)

    assert newest(store, task="subtotal") == [f"id-{age}" for age in range(0, 450, 50)]
    assert newest(store, task="tasks.subtotal", limit=2) == ["id-0", "id-50"]
    assert newest(store, task="total", limit=1) == ["id-1"]
    assert newest(store, task="otal") == []
    assert len(newest(store, limit=None)) == 450


def test_the_runs_before_a_failure_do_not_count(store: FailureStore) -> None:
    runs = [failure("a", 3 - number, retries=number, state="RETRY") for number in range(3)]
    store.add([*runs, failure("b", 5, state="RETRY"), failure("c", 4, state="REJECTED")])
    assert newest(store) == ["c"]
    assert store.ids("") == ["a", "c", "b"]

    store.add([last := failure("a", 0, retries=3)])
    assert newest(store) == ["a", "c"]
    assert store.attempts("a") == [*runs, last]


def test_the_same_run_again_takes_the_place_of_the_first(store: FailureStore) -> None:
    store.add([failure("a", 9, body=b"x" * 1000), failure("b", 5)])
    store.add([failure("a", 1, state="RETRY")])
    assert newest(store) == ["b"]
    store.add([failure("a", 0, message="again")])

    assert newest(store) == ["a", "b"]
    assert [one.message for one in store.attempts("a")] == ["again"]


def test_the_beginning_of_an_id(store: FailureStore) -> None:
    store.add([failure("abcd-1", 1), failure("abcd-2"), failure("xabcd"), failure("a:b/c*\udc80 ü%", 3)])

    assert store.ids("abcd") == ["abcd-2", "abcd-1"]
    assert store.ids("abcd-1") == ["abcd-1"]
    assert store.ids("ABCD") == []
    assert store.ids("a:b/c*") == ["a:b/c*\udc80 ü%"]
    assert [one.id for one in store.attempts("a:b/c*\udc80 ü%")] == ["a:b/c*\udc80 ü%"]
    assert store.attempts("abcd") == []


def test_the_oldest_go_when_there_are_too_many(make: Callable[..., FailureStore]) -> None:
    store = make(Limits(count=3))
    for age in (9, 8, 7, 6):
        store.add([failure(f"id-{age}", age), failure(f"retry-{age}", age, state="RETRY")])

    assert newest(store) == ["id-6", "id-7", "id-8"]
    assert store.ids("retry") == ["retry-6", "retry-7", "retry-8"]
    assert store.attempts("id-9") == []


def test_all_are_listed_whatever_the_reader_would_keep(make: Callable[..., FailureStore]) -> None:
    make(Limits(count=9)).add([failure(f"id-{age}", age) for age in range(5)])

    assert len(newest(make(Limits(count=2)), limit=None)) == 5


def test_they_go_when_they_are_too_old(make: Callable[..., FailureStore]) -> None:
    store = make(Limits(seconds=100))
    store.add([failure("old", 101), failure("retry", 101, state="RETRY"), failure("kept", 99)])
    store.add([failure("new")])

    assert store.ids("") == ["new", "kept"]
    assert store.attempts("old") == []


def test_they_go_when_they_are_too_much_the_runs_before_a_failure_first(make: Callable[..., FailureStore]) -> None:
    store = make(Limits(size=10_000))
    for age in (9, 8, 7, 6):
        store.add([failure(f"id-{age}", age, body=b"x" * 2500)])
    store.add([failure("retry", 1, state="RETRY", body=b"x" * 2500)])
    store.add([failure("small", 0, body=b"x" * 500)])
    assert newest(store) == ["small", "id-6", "id-7"]
    assert store.ids("retry") == []

    store.add([failure("huge", body=b"x" * 10_000)])
    assert newest(store) == ["small", "id-6", "id-7"]


@pytest.mark.parametrize(
    "corruption", [b"", b'{"schema": 1, "id": "b"', b"[]", b'{"schema": 2}', b'{"schema": 1}', b"\xff"]
)
def test_a_record_that_cannot_be_read_is_passed_over(store: FailureStore, corruption: bytes) -> None:
    store.add([failure("a"), failure("b", 1), failure("b", 2, state="RETRY", retries=9), failure("c", 2)])
    corrupt(store, "b", corruption)

    assert newest(store) == ["a", "c"]
    assert store.unreadable == 1
    with pytest.raises(Unreadable):
        store.attempts("b")
    assert newest(store, limit=1) == ["a"]
    assert store.unreadable == 0


def corrupt(store: FailureStore, task_id: str, text: bytes) -> None:
    """Make a record of the store one that is cut short, or of another version."""
    if "://" in store.where:
        client(store.where).hset(f"{RECORD}{task_id}:0", "meta", text)
    else:
        [path] = Path(store.where).glob(f"*-failure-0-{task_id}.json")
        path.write_bytes(text)


def test_a_redis_keeps_nothing_behind(redis: str) -> None:
    """The sum of the sizes is right after all kinds of changes, and whatever is written goes by itself in time."""
    client(redis).flushall()
    store = open_store(redis, Limits(count=2, seconds=1000))
    for age in (9, 8, 7, 6, 5):
        store.add([failure(f"id-{age % 3}", age, body=b"x" * age), failure("retry", age, state="RETRY")])

    server: Any = client(redis)
    keys: set[bytes] = {*server.scan_iter()}
    kept = {key for key in keys if key.startswith(RECORD.encode())}
    size = sum(sum(map(len, server.hgetall(key).values())) for key in kept)
    assert len(kept) == 3
    assert int(server.get(TOTAL) or 0) == size
    assert sum(score for _, score in server.zrange(SIZES, 0, -1, withscores=True)) == size
    assert keys - kept == {name.encode() for name in (FAILURES, RETRIES, SIZES, TOTAL)}
    assert [key for key in keys if not 0 < server.ttl(key) <= 1000] == []


def test_a_small_failure_takes_little_room(redis: str) -> None:
    client(redis).flushall()
    store = open_store(redis)
    store.add([failure()])

    keys = [key for key in client(redis).scan_iter() if key.startswith(RECORD.encode())]
    assert sum(client(redis).memory_usage(key) or 0 for key in keys) < 4096


def test_only_this_user_can_read_the_files(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "kept" / "failures"))
    store.add([failure()])

    paths = [tmp_path / "kept", *(tmp_path / "kept").rglob("*")]
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in paths] == [0] * 4


def test_a_store_that_cannot_be_had_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for where in ("redis://127.0.0.1:1/0", f"unix://{tmp_path}/none", str(tmp_path / "file")):
        store = open_store(where)
        for call in (lambda: store.add([failure()]), store.newest, lambda: store.ids("a"), lambda: store.attempts("a")):  # noqa: B023
            with pytest.raises(StoreError):
                call()
    with pytest.raises(StoreError):
        open_store("redis://host:port/0")


@pytest.mark.parametrize(
    ("broker", "backend", "chosen"),
    [
        ("redis://a/0", "redis://b/1", "redis://b/1"),
        ("redis://a/0", "db+sqlite:///x", "redis://a/0"),
        ("amqp://a", "rediss://b", "rediss://b"),
        ("redis+socket:///r.sock", None, "redis+socket:///r.sock"),
        ("amqp://a;redis://b", None, "redis://b"),
        ("amqp://a", "rpc://", "/here"),
        ("sentinel://a", None, "/here"),
        (None, None, "/here"),
    ],
)
def test_redis_where_there_is_one_else_the_folder(broker: str | None, backend: str | None, chosen: str) -> None:
    assert choose(broker, backend, "/here") == chosen


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@host:1/2?ssl_cert_reqs=none", "redis://host:1/2"),
        ("rediss://:secret@host/0?ssl_cert_reqs=CERT_NONE", "rediss://host/0"),
        ("redis+socket:///run/redis.sock?virtual_host=2", "redis+socket:///run/redis.sock"),
        ("redis://", "redis://"),
    ],
)
def test_an_address_as_celery_writes_it(url: str, shown: str) -> None:
    assert open_store(url).where == shown


def test_a_run_that_is_heard_of_before_the_one_before_it_stays_the_later_one(store: FailureStore) -> None:
    store.add([failure("a", 0.5, state="RETRY"), failure("a", 0.6, retries=1)])  # another process was quicker

    assert [one.retries for one in store.attempts("a")] == [0, 1]
