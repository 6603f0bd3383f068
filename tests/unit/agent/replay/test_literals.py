"""Values as Python source: what is written is the value again."""

import datetime
import enum
import io
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID
from zoneinfo import TZPATH, ZoneInfo

import pytest
from celery import Celery, Task
from dateutil.tz import tzoffset, tzutc  # type: ignore[import-untyped]

from devkit.agent.replay.call import Cannot, rebuild
from devkit.agent.replay.literals import NoLiteral, argue, literal
from devkit.model.wire import CallSource
from tests.unit.agent.replay.rerunning import failure


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntFlag):
    S = 1
    M = 2


Odd = enum.Enum("Odd", ["or not", "class"])
TIMES = next(file.read_bytes() for folder in TZPATH if (file := Path(folder, "Europe", "Berlin")).is_file())


class Text(str):
    __slots__ = ()


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 6)
UTC = datetime.UTC


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "None"),
        (True, "True"),
        (-7, "-7"),
        (1.5, "1.5"),
        (float("-inf"), 'float("-inf")'),
        ("plain", '"plain"'),
        ("it's", '"it\'s"'),
        ('say "x"', "'say \"x\"'"),
        ("both ' and \"", "'both \\' and \"'"),
        ("\n\\ü\x00\udcff", '"\\n\\\\ü\\x00\\udcff"'),
        (b"a'\xff", 'b"a\'\\xff"'),
        ([1, (2,), (3, 4), ()], "[1, (2,), (3, 4), ()]"),
        ({"b": 1, 2: [None]}, '{"b": 1, 2: [None]}'),
        ({3, 1, 2}, "{1, 2, 3}"),
        (set(), "set()"),
        (frozenset({1}), "frozenset({1})"),
        (frozenset(), "frozenset()"),
        (MOMENT, "datetime.datetime(2026, 1, 2, 3, 4, 5, 6)"),
        (MOMENT.replace(tzinfo=UTC), "datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)"),
        (MOMENT.replace(tzinfo=tzutc()), "datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)"),
        (MOMENT.date(), "datetime.date(2026, 1, 2)"),
        (MOMENT.time(), "datetime.time(3, 4, 5, 6)"),
        (datetime.timedelta(days=1), "datetime.timedelta(days=1)"),
        (Decimal("1.50"), 'Decimal("1.50")'),
        (UUID(int=1), 'UUID("00000000-0000-0000-0000-000000000001")'),
        (Colour.RED, "Colour.RED"),
        (Size.M, "Size.M"),
    ],
)
def test_a_value_as_it_is_written(value: Any, code: str) -> None:
    assert literal(value).code == code


@pytest.mark.parametrize(
    "value",
    [
        {"x": [MOMENT.replace(tzinfo=ZoneInfo("Europe/Berlin")), Decimal("NaN") is None, UUID(int=3)]},
        MOMENT.replace(tzinfo=datetime.timezone(datetime.timedelta(0), 'a" + str(no_such_name) + "')),
        [MOMENT.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2))), {Colour.RED: b"\x00"}],
    ],
)
def test_what_is_written_is_the_value_again(value: Any) -> None:
    made = literal(value)
    names: dict[str, Any] = {}
    exec("\n".join(sorted(made.imports)), names)  # noqa: S102

    assert eval(made.code, names) == value  # noqa: S307


def test_what_it_imports() -> None:
    assert literal([MOMENT, Decimal(1), Colour.RED]).imports == {
        "import datetime", "from decimal import Decimal", f"from {__name__} import Colour",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (object(), "object"),
        ([{"x": Text("a")}], f"{__name__}.Text"),
        (Size.S | Size.M, "Size"),
        (enum.Enum("Made", "A").A, "Made"),  # type: ignore[attr-defined]
        (Odd["or not"], "Odd"),
        (Odd["class"], "Odd"),
        (MOMENT.replace(tzinfo=ZoneInfo.from_file(io.BytesIO(TIMES))), "datetime.datetime with zoneinfo.ZoneInfo"),
        (MOMENT.replace(tzinfo=tzoffset("x", 3600)), "datetime.datetime with dateutil"),
        ([10**5000], "digits"),
        (endless(), "list without end"),
    ],
)
def test_what_cannot_be_written(value: Any, says: str) -> None:
    with pytest.raises(NoLiteral, match=says):
        literal(value)


def test_not_a_number_is_equal_to_nothing() -> None:
    assert literal(float("nan")).code == 'float("nan")'
    assert not literal([float("nan")]).comparable
    assert literal([1.0]).comparable


# --- calls ---


class FailedError(Exception):
    class InnerError(Exception): ...


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    """With a module `shop_tasks` that has its tasks."""
    app = Celery("shop", set_as_current=False)
    module = ModuleType("shop_tasks")

    def plain(x: Any, *rest: Any, **more: Any) -> None: ...
    def bound(self: Any, x: Any) -> None: ...
    def hidden() -> None: ...

    for function in (plain, bound, hidden):
        function.__module__ = "shop_tasks"

    class Other(Task):  # type: ignore[misc]
        name = "other"
        __module__ = "shop_tasks"

        def run(self) -> None: ...

    module.plain = app.task(plain, shared=False)  # type: ignore[attr-defined]
    module.renamed = app.task(shared=False, bind=True, name="shop.bound", autoretry_for=(ValueError,))(bound)  # type: ignore[attr-defined]
    module.other = app.register_task(Other())  # type: ignore[attr-defined]
    app.task(hidden, shared=False)
    module.FailedError = FailedError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop_tasks", module)
    app.finalize()
    yield app
    app.close()


def argued(app: Celery, task: str, *args: Any, exception: str = "ValueError", **kwargs: Any) -> CallSource:
    return argue(rebuild(app, failure(task, args, kwargs, exception=exception)), ("shop", "app"))


def test_all_that_a_test_has_to_write(app: Celery) -> None:
    assert argued(app, "shop_tasks.plain", "a", [1], y={"k": None}) == {
        "module": "shop_tasks", "name": "plain", "app": ["shop", "app"], "task": "shop_tasks.plain", "bound": False,
        "args": ['"a"', "[1]"], "kwargs": {"y": '{"k": None}'}, "imports": [],
        "exception": {"module": "builtins", "name": "ValueError"},
    }  # fmt: skip


def test_where_tasks_are(app: Celery) -> None:
    found = [argued(app, task, *args) for task, args in (("shop.bound", [1]), ("other", []), ("shop_tasks.hidden", []))]

    assert [(each["name"], each["bound"]) for each in found] == [("renamed", True), ("other", True), (None, False)]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("shop_tasks.FailedError", {"module": "shop_tasks", "name": "FailedError"}),
        ("shop_tasks.FailedError.InnerError", {"module": "shop_tasks", "name": "FailedError.InnerError"}),
        ("shop_tasks.Gone", None),
        ("nowhere.Failed", None),
        ("shop_tasks.plain", None),
        ("print", None),
    ],
)
def test_where_exceptions_are(app: Celery, name: str, found: Any) -> None:
    assert argued(app, "shop_tasks.plain", 1, exception=name)["exception"] == found


def test_an_argument_that_cannot_be_written(app: Celery) -> None:
    call = rebuild(app, failure("shop_tasks.plain", [1, 2], {"z": 3}))
    call.kwargs["z"] = [object()]
    with pytest.raises(Cannot) as raised:
        argue(call, ("shop", "app"))

    assert raised.value.report["cannot"]["kind"] == "no literal"
    assert "z of shop_tasks.plain" in raised.value.report["cannot"]["why"]
    assert "it has object" in raised.value.report["cannot"]["why"]
