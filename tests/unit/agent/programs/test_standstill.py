"""For a paused task neither its time limits nor the broker's patience end."""
# mypy: disable-error-code="no-untyped-call, attr-defined"

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery.concurrency.asynpool import AsynPool
from celery.worker import state
from kombu import Connection, Consumer, Producer, Queue
from kombu.asynchronous import Hub, set_event_loop
from kombu.asynchronous.timer import Timer
from redis import Redis

from devkit.agent.programs import standstill as module
from devkit.agent.programs.standstill import PATIENCE_S, Standstill
from devkit.model.session import Session
from devkit.store.sessions import Sessions
from tests.unit.waiting import wait_for


class Clock:
    """The time, as the test wants it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    monotonic = time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(str(tmp_path))


def paused(since: float, session_id: str = "a", **changes: Any) -> Session:
    made = Session(
        id=session_id, task="", task_id="a", args="", file="", line=1, function="", host="another", container="",
        pid=1, pid_started=None, main_pid=os.getpid(), thread="", port=1, token="", since=since, state="paused",
        paused_s=0.0, why="",
    )  # fmt: skip
    return replace(made, **changes)


def consumer(channel: Any = None, pool: Any = None) -> Any:
    """As much of Celery's as is needed."""
    return SimpleNamespace(
        timer=Timer(), pool=SimpleNamespace(_pool=pool), task_consumer=SimpleNamespace(channel=channel)
    )


def standstill(consumer: Any, sessions: Sessions, given_back: list[float] | None = None) -> Standstill:
    """`given_back` gets an entry for each time that messages are given back."""
    return Standstill(consumer, sessions, lambda: None if given_back is None else given_back.append(module.time.time()))


# --- time limits ---


def owed(sessions: Sessions) -> Callable[..., float]:
    """What asks for the seconds of a task, by the number of the pool's job."""
    ask = standstill(consumer(), sessions)._owed
    return lambda task_id, job=1: ask(task_id, job)


def test_what_was_never_paused_is_owed_nothing(sessions: Sessions) -> None:
    assert owed(sessions)("a") == 0


def test_each_second_of_several_pauses_is_given_once(sessions: Sessions, clock: Clock) -> None:
    ask = owed(sessions)
    sessions.put(paused(990.0))
    assert ask("a") == 10
    assert ask("a") == 0
    clock.now = 1004.0
    assert ask("a") == 4

    sessions.put(paused(990.0, state="running", paused_s=15.0))
    clock.now = 1100.0
    assert ask("a") == 1
    assert ask("a") == 0

    sessions.put(paused(1100.0, paused_s=15.0))
    clock.now = 1107.0
    assert ask("a") == 7
    assert ask("a") == 0


@pytest.mark.usefixtures("clock")
def test_of_several_threads_the_longest_pause_counts(sessions: Sessions) -> None:
    sessions.put(paused(990.0))
    sessions.put(paused(970.0, "a-2"))
    sessions.put(paused(900.0, "b", task_id="b"))

    ask = owed(sessions)
    assert ask("a") == 30
    assert ask("b", 2) == 100


def test_a_clock_that_was_set_back_takes_nothing_away(sessions: Sessions, clock: Clock) -> None:
    ask = owed(sessions)
    sessions.put(paused(2000.0))
    assert ask("a") == 0
    clock.now = 2001.0
    assert ask("a") == 1


def test_a_task_that_is_tried_again_is_given_its_time_again(sessions: Sessions, clock: Clock) -> None:
    """It has the same id; its first session is gone, and the new one counts from zero."""
    ask = owed(sessions)
    sessions.put(paused(970.0))
    assert ask("a") == 30
    sessions.remove("a")
    assert ask("a", 2) == 0

    clock.now = 2000.0
    sessions.put(paused(1990.0))
    assert ask("a", 2) == 10


class Pool(AsynPool):  # type: ignore[misc]
    """Celery's own timers and limits, without the processes."""

    def __init__(self, hub: Hub) -> None:
        self.ended: list[str] = []
        self._timeout_handler = None
        self._cache = {1: SimpleNamespace(correlation_id="a"), 2: SimpleNamespace(correlation_id="other")}
        self.on_soft_timeout = lambda job: self.ended.append(f"soft {job.correlation_id}")
        self.on_hard_timeout = lambda job: self.ended.append(f"hard {job.correlation_id}")
        self._create_timelimit_handlers(hub)

    def __del__(self) -> None:
        """Nothing to end."""


class Limits:
    """A hub whose timers are due when the test says so."""

    def __init__(self, sessions: Sessions) -> None:
        self.hub = Hub()
        set_event_loop(self.hub)
        self.pool = Pool(self.hub)
        self.standstill = standstill(consumer(pool=self.pool), sessions)
        self.standstill.begin()
        self.standstill.begin()  # another connection

    def set(self, job: int, soft: float | None, hard: float | None) -> None:
        self.pool.on_timeout_set(SimpleNamespace(_job=job), soft, hard)

    def next(self) -> tuple[float, list[str]]:
        """In how many seconds the next timer is due; lets it be due now, and tells what that ended."""
        queue = [timer for timer in self.hub.timer._queue if not timer.entry.canceled]
        (timer,) = queue
        self.hub.timer._queue.clear()
        self.pool.ended.clear()
        in_s = timer.eta - time.monotonic()
        timer.entry()
        return round(in_s), list(self.pool.ended)

    def close(self) -> None:
        self.hub.close()
        set_event_loop(None)


@pytest.fixture
def limits(sessions: Sessions, clock: Clock) -> Iterator[Limits]:
    limits = Limits(sessions)
    yield limits
    limits.close()


def test_limits_of_others_are_as_ever(limits: Limits, sessions: Sessions) -> None:
    sessions.put(paused(900.0))
    limits.set(2, 10, 30)
    assert limits.next() == (10, ["soft other"])
    assert limits.next() == (20, ["hard other"])


def test_limits_are_put_off_by_as_long_as_it_was_paused(limits: Limits, sessions: Sessions, clock: Clock) -> None:
    sessions.put(paused(993.0))
    limits.set(1, 10, 30)
    assert limits.next() == (10, [])
    clock.now = 1007.0
    assert limits.next() == (7, [])
    sessions.put(paused(993.0, state="running", paused_s=19.0))
    assert limits.next() == (7, [])
    assert limits.next() == (5, ["soft a"])

    sessions.put(paused(1010.0, paused_s=19.0))
    clock.now = 1013.0
    assert limits.next() == (20, [])
    sessions.put(paused(1010.0, state="running", paused_s=22.0))
    assert limits.next() == (3, ["hard a"])


def test_a_hard_limit_alone(limits: Limits, sessions: Sessions) -> None:
    sessions.put(paused(993.0))
    limits.set(1, None, 30)
    assert limits.next() == (30, [])
    assert limits.next() == (7, ["hard a"])


def test_a_task_that_is_done_meanwhile_is_not_ended(limits: Limits, sessions: Sessions) -> None:
    sessions.put(paused(993.0))
    limits.set(1, None, 30)
    limits.next()
    limits.pool.on_timeout_cancel(SimpleNamespace(_job=1))
    del limits.pool._cache[1]
    assert [timer for timer in limits.hub.timer._queue if not timer.entry.canceled] == []


# --- Redis ---


@pytest.mark.parametrize("prefix", ["", "mine:"])
@pytest.mark.parametrize(
    ("session", "kept"),
    [
        (paused(990.0), True),
        (paused(990.0, state="running"), False),
        (paused(990.0, main_pid=os.getpid() + 1), False),
        (None, False),
    ],
)
def test_what_a_worker_with_a_paused_task_holds_is_not_delivered_again(
    redis: str, sessions: Sessions, session: Session | None, kept: bool, prefix: str
) -> None:
    if session:
        sessions.put(session)
    received: list[Any] = []
    options = {"global_keyprefix": prefix, "visibility_timeout": 1}
    with Connection(redis, transport_options=options) as connection, connection.channel() as channel:
        queue = Queue("tasks", channel=channel)
        Producer(channel).publish({"x": 1}, routing_key="tasks", declare=[queue(channel)])
        with Consumer(channel, [queue], callbacks=[lambda body, message: received.append(message)]) as consuming:
            wait_for(lambda: connection.drain_events(timeout=1) or received)
            clock = standstill(consumer(channel), sessions)
            clock.begin()
            assert consuming
            key = prefix + channel.qos.unacked_index_key
            (tag,) = channel.qos._delivered
            with Redis.from_url(redis.replace("redis+socket", "unix")) as looking:
                assert looking.zadd(key, {tag: time.time() - 3600}, xx=True, ch=True) == 1
                clock.tick()
                score: Any = looking.zscore(key, tag)
                assert (time.time() - score < 60) is kept

                looking.zrem(key, tag)  # as another worker does that delivers it again
                clock.tick()
                assert looking.zcard(key) == 0
        received[0].ack()


# --- RabbitMQ ---


class Request:
    """A message that a worker has taken, until it is acknowledged."""

    def __init__(self, broker_is_gone: bool = False) -> None:
        self.acknowledged = False
        self.acks = 0
        self.message = SimpleNamespace(ack=self.ack)
        self._broker_is_gone = broker_is_gone

    def ack(self) -> None:
        self.acks += 1
        if self._broker_is_gone:
            raise ConnectionError


def test_what_is_paused_for_long_is_acknowledged_once(
    sessions: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = {name: Request() for name in ("a", "done", "short", "other", "runs")}
    requests["done"].acknowledged = True
    monkeypatch.setattr(state, "requests", requests)
    sessions.put(paused(clock.now))
    sessions.put(paused(clock.now, "done", task_id="done"))
    sessions.put(paused(clock.now, "other", task_id="other", main_pid=os.getpid() + 1))
    sessions.put(paused(clock.now, "runs", task_id="runs", state="running"))
    sessions.put(paused(clock.now, "pid-7", task_id=""))
    given_back: list[float] = []
    made = standstill(consumer(SimpleNamespace()), sessions, given_back)
    began = clock.now

    for clock.now in (began, began + PATIENCE_S):
        made.tick()
    assert ([request.acks for request in requests.values()], given_back) == ([0] * 5, [])

    sessions.put(paused(clock.now, "short", task_id="short"))
    for clock.now in (began + PATIENCE_S + 1, began + PATIENCE_S + 2, began + 2 * PATIENCE_S + 1):
        made.tick()
    assert {name: request.acks for name, request in requests.items() if request.acks} == {"a": 1, "short": 1}
    assert requests["a"].acknowledged
    assert given_back == [began + PATIENCE_S + 1], "not more often than the broker's patience asks for"

    clock.now = began + 2 * PATIENCE_S + 2
    made.tick()
    assert len(given_back) == 2


# --- any broker ---


def test_a_redis_that_is_gone_is_asked_again_each_time(sessions: Sessions) -> None:
    asked: list[bool] = []

    def gone() -> Any:
        asked.append(True)
        raise ConnectionError

    sessions.put(paused(100.0))
    qos = SimpleNamespace(_delivered={"t": 1}, unacked_index_key="k")
    made = standstill(consumer(SimpleNamespace(qos=qos, conn_or_acquire=gone)), sessions)
    made.tick()
    made.tick()

    assert len(asked) == 2


def test_a_rabbitmq_that_is_gone_delivers_again_by_itself(
    sessions: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request(broker_is_gone=True)
    monkeypatch.setattr(state, "requests", {"a": request})
    sessions.put(paused(100.0))
    given_back: list[float] = []
    made = standstill(consumer(SimpleNamespace()), sessions, given_back)

    made.tick()
    assert (request.acks, given_back) == (1, []), "there is nobody to give it back to"
    made.tick()
    assert (request.acks, given_back) == (1, [clock.now])


def test_a_broker_whose_patience_nobody_knows_is_left_alone(
    sessions: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request()
    monkeypatch.setattr(state, "requests", {"a": request})
    sessions.put(paused(100.0))
    given_back: list[float] = []
    for qos in (SimpleNamespace(), SimpleNamespace(_delivered={"t": 1}), SimpleNamespace(unacked_index_key="k")):
        standstill(consumer(SimpleNamespace(qos=qos)), sessions, given_back).tick()

    assert (request.acks, given_back) == (0, [])


@pytest.mark.parametrize(("visibility_s", "every_s"), [(3600, 5.0), (3, 1.0), (None, 5.0)])
def test_it_ticks_well_before_the_brokers_patience_ends(
    sessions: Sessions, visibility_s: float | None, every_s: float
) -> None:
    made = consumer(SimpleNamespace(qos=SimpleNamespace(visibility_timeout=visibility_s)))
    standstill(made, sessions).begin()

    (timer,) = made.timer._queue
    assert timer.eta - time.monotonic() == pytest.approx(every_s, abs=0.5)


def test_a_pool_without_processes_keeps_the_connection_alive(sessions: Sessions, clock: Clock) -> None:
    beats: list[float] = []
    connection = SimpleNamespace(send_heartbeat=lambda: beats.append(clock.now), last_heartbeat_received=0.0)
    made = consumer()
    made.connection = SimpleNamespace(connection=connection)
    alone = standstill(made, sessions)
    for clock.now in (1001.0, 1004.9, 1005.0, 1005.1, 1009.9, 1010.0):
        alone.tick_alone()

    assert beats == [1005.0, 1010.0]
    assert connection.last_heartbeat_received == 1010.0

    del made.connection
    clock.now = 1020.0
    alone.tick_alone()
