"""Waiting for the pause that is meant, by a clock that a test winds."""

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from devkit.errors import DevkitError
from devkit.model.editor import WAITS
from devkit.model.session import Session, Waiting
from devkit.model.wire import SendNews, TaskEnd
from devkit.services.debug.containers import Only
from devkit.services.debug.paused import Paused, of_plain
from devkit.services.debug.sending import Sending
from devkit.services.debug.wait import FIRST_LOOK_S, PLAIN_POLL_S, NextPause
from devkit.store.sessions import Sessions
from tests.unit.services.debug.pauses import ToldContainers, ToldTasks, in_container, paths_in, session

NOTICE = "no task is paused; waiting for one (Ctrl-C ends the wait)"
PLAIN = Paused(of_plain(7, 6899))


class Clock:
    """Goes on while somebody sleeps; at its times something happens."""

    def __init__(self) -> None:
        self.now = 100.0
        self._later: list[tuple[float, Callable[[], object]]] = []

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float, happens: Callable[[], object]) -> None:
        self._later.append((self.now + seconds, happens))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        due = [one for one in self._later if one[0] <= self.now]
        self._later = [one for one in self._later if one not in due]
        for _, happens in due:
            happens()


class World:
    """A project, what is paused in it, and what is said of that."""

    def __init__(self, folder: Path) -> None:
        self.store = Sessions(str(paths_in(folder).sessions))
        self.tasks = ToldTasks(folder)
        self.containers = self.tasks.containers = ToldContainers(folder)
        self.clock = Clock()
        self.said: list[str] = []
        self.idle: list[float] = []  # when there was nothing but to wait

    def next(self, timeout_s: float | None = 60.0) -> NextPause:
        def idle() -> None:
            self.idle.append(self.clock.now)

        return NextPause(self.tasks, timeout_s, self.said.append, idle, self.clock, self.clock.sleep)

    def pauses_after(self, seconds: float, one: Session) -> None:
        self.clock.after(seconds, lambda: self.store.put(one))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ids(found: list[Paused]) -> list[str]:
    return [one.session.id for one in found]


def test_what_is_paused_already_is_not_waited_for(world: World) -> None:
    world.store.put(session(id="b", since=2.0))
    world.store.put(session(id="a", since=1.0))

    assert ids(world.next().of(None)) == ["a", "b"]
    assert (world.clock.now, world.said, world.idle) == (100.0, [], [])


def test_a_task_that_pauses_while_it_is_waited_for(world: World) -> None:
    world.pauses_after(3.0, session(id="a"))

    assert ids(world.next().of(None)) == ["a"]
    assert 103.0 <= world.clock.now < 103.1
    assert world.said == [NOTICE]
    assert world.idle == [100.0]


def test_the_time_is_over(world: World, tmp_path: Path) -> None:
    world.pauses_after(2.5, session(id="a"))

    with pytest.raises(DevkitError, match="nothing paused within 2 s") as caught:
        world.next(2.0).of(None)

    assert 102.0 < world.clock.now < 102.1
    assert f"the sessions in {paths_in(tmp_path).sessions}" in caught.value.looked


def test_without_a_time_it_waits_on(world: World) -> None:
    world.pauses_after(300.0, session(id="a"))

    assert ids(world.next(None).of(None)) == ["a"]


def test_only_what_the_word_names_is_meant(world: World) -> None:
    world.store.put(session(id="a", task="shop.add"))
    world.pauses_after(1.0, session(id="b", task="shop.divide"))

    assert ids(world.next().of("divide")) == ["b"]
    assert world.said == ["no divide is paused; waiting for one (Ctrl-C ends the wait)"]


def test_what_was_paused_before_is_not_meant_but_its_next_pause_is(world: World) -> None:
    world.store.put(session(id="a", since=1.0))
    world.tasks.told_plain = [PLAIN]
    pause = world.next()

    assert pause.must_be_new()
    world.pauses_after(1.0, session(id="a", since=2.0))

    assert [one.session.since for one in pause.of(None)] == [2.0]


def test_nothing_was_paused_before(world: World) -> None:
    assert not world.next().must_be_new()


def test_what_is_over_is_not_meant_once_more_and_nothing_is_told_twice(world: World) -> None:
    pause = world.next()
    world.pauses_after(1.0, session(id="a", since=1.0))
    (first,) = pause.of(None)

    pause.is_over(first)
    world.pauses_after(1.0, session(id="a", since=2.0))

    assert [one.session.since for one in pause.of(None)] == [2.0]
    assert world.said == [NOTICE]


def test_one_of_a_plain_rdb_may_be_the_next_one_of_its_process(world: World) -> None:
    world.tasks.told_plain = [PLAIN]
    pause = world.next()
    (first,) = pause.of(None)

    pause.is_over(first)

    assert pause.of(None) == [first]


def test_who_waits_for_an_editor_is_meant_by_name_only(world: World) -> None:
    world.store.put(session(id="a", why=WAITS))

    assert ids(world.next().of("divide")) == ["a"]
    with pytest.raises(DevkitError, match="nothing paused"):
        world.next(1.0).of(None)


@pytest.mark.parametrize(("word", "found"), [(None, True), ("divide", True), ("pid-7", True), ("pid-8", False)])
def test_a_plain_rdb_may_hold_any_task_but_has_an_id(world: World, word: str | None, found: bool) -> None:
    world.tasks.told_plain = [PLAIN]

    if found:
        assert world.next().of(word) == [PLAIN]
    else:
        with pytest.raises(DevkitError, match="nothing paused"):
            world.next(1.0).of(word)


def test_all_processes_are_looked_through_once_in_a_while_only(world: World) -> None:
    with pytest.raises(DevkitError, match="nothing paused"):
        world.next(10 * PLAIN_POLL_S).of(None)

    assert 9 <= world.tasks.looks <= 11


def test_nobody_is_told_that_nothing_is_paused_before_the_containers_have_told(world: World) -> None:
    world.containers.settled = False
    with pytest.raises(DevkitError, match="nothing paused"):
        world.next(FIRST_LOOK_S / 2).of(None)
    assert world.said == []

    with pytest.raises(DevkitError, match="nothing paused"):
        world.next(FIRST_LOOK_S * 2).of(None)
    assert world.said == [NOTICE]


def test_a_task_in_a_container(world: World) -> None:
    world.clock.after(2.0, lambda: world.containers.told.append(in_container(id="a")))

    assert [(one.session.id, one.place) for one in world.next().of(None)] == [("a", "shop-worker-2")]


def test_who_is_to_choose_gets_nothing_that_a_container_left_behind(world: World) -> None:
    world.store.put(in_container(id="a", token="1"))  # noqa: S106
    world.store.put(in_container(id="b", token="2"))  # noqa: S106
    world.containers.on_settle = lambda: setattr(world.containers, "gone", "a")

    assert ids(world.next().of(None)) == ["b"]


def test_what_is_paused_in_the_one_place_to_look_is_not_waited_for(world: World) -> None:
    world.containers.only = Only(container="worker")
    world.containers.on_settle = lambda: setattr(world.containers, "told", [in_container(id="a")])

    assert ids(world.next(0.0).of(None)) == ["a"]
    assert world.idle == []


def test_the_one_place_to_look_cannot_be_looked_into(world: World) -> None:
    def fail() -> None:
        raise DevkitError("cannot look into shop-worker-2: it has stopped")

    world.containers.only = Only(container="worker")
    world.clock.after(1.0, lambda: setattr(world.containers, "on_check", fail))

    with pytest.raises(DevkitError, match="shop-worker-2: it has stopped"):
        world.next(None).of(None)
    assert 101.0 <= world.clock.now < 101.1


class Sent:
    """A task that was sent, whose news a test tells."""

    def __init__(self) -> None:
        self._news: SimpleQueue[SendNews | None] = SimpleQueue()
        self.sending = Sending("a", self._told())
        self.heard: list[SendNews] = []

    def tell(self, news: SendNews | None) -> None:
        self._news.put(news)

    def _told(self) -> Iterator[SendNews]:
        while news := self._news.get():
            yield news


@pytest.fixture
def sent() -> Iterator[Sent]:
    one = Sent()
    yield one
    one.tell(None)
    one.sending.close()


def test_the_very_task_that_was_sent(world: World, sent: Sent) -> None:
    world.store.put(session(id="b", since=1.0))
    world.store.put(session(id="a", since=2.0))
    sent.tell({"sent": "a", "task": "shop.divide"})

    found = world.next().of_sent(sent.sending, sent.heard.append)

    assert found
    assert found.session.task_id == "a"
    assert sent.heard == [{"sent": "a", "task": "shop.divide"}]
    assert world.said == []


def test_a_task_that_was_sent_comes_to_its_end(world: World, sent: Sent) -> None:
    sent.tell({"sent": "a", "task": "shop.divide"})
    end: TaskEnd = {
        "state": "SUCCESS", "result": 1, "exception": None, "traceback": None, "runtime_s": 0.1, "note": "",
    }  # fmt: skip
    sent.tell({"done": end})

    def hear(news: SendNews) -> None:
        if "done" in news:  # its session is the last to go
            world.store.put(session(id="a"))

    assert world.next().of_sent(sent.sending, hear) is None


def test_a_plain_rdb_that_waited_in_a_container_before_is_of_another_task(world: World, sent: Sent) -> None:
    world.containers.waiting = [Waiting(7, "127.0.0.1", 6899)]

    def hear(news: SendNews) -> None:
        world.containers.waiting.append(Waiting(8, "127.0.0.1", 6900))

    world.containers.on_check = lambda: sent.tell({"sent": "a", "task": "shop.divide"})
    found = world.next().of_sent(sent.sending, hear)

    assert found
    assert (found.session.pid, found.place) == (8, "shop-worker-2")
