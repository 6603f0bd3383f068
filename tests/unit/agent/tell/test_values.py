"""Values as text: never long, never failing, without secrets."""

import re
import threading
import types
from argparse import Namespace
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import Enum
from pathlib import PosixPath
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import pytest
from pydantic import BaseModel, Field, SecretStr
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.datastructures import Secret as Starlette

from devkit.agent.tell.values import MASK, call_text, is_secret, short
from tests.unit.agent.tripwires import MAKE, made_of_traps, nothing_runs

SECRET = "hunter2"  # noqa: S105 - it opens nothing


class Says:
    """What its `__repr__` says nobody hears."""

    def __init__(self, text: Any) -> None:
        self.text = text

    def __repr__(self) -> str:
        raise AssertionError("was asked")


class Text(str):
    __slots__ = ()


class Point(NamedTuple):
    x: int
    password: str


@dataclass
class Order:
    id: int
    token: str
    hidden: int = field(repr=False)
    lines: list[Any]


class Slots:
    __slots__ = ("_private", "public", "unset")

    def __init__(self) -> None:
        self._private, self.public = 2, 1


class Fields:
    """Something else by the name that pydantic gives to its fields."""

    model_fields = ("x",)

    def __init__(self) -> None:
        self.x = 1


class Colour(Enum):
    RED = 1


class Zone(tzinfo):
    utcoffset = dst = tzname = Says.__repr__  # type: ignore[assignment]


class Model(BaseModel):
    id: int
    token: str
    hidden: str = Field(repr=False)
    secret: SecretStr = SecretStr(SECRET)
    other: SecretStr = SecretStr(SECRET)


@pytest.mark.parametrize("name", [
    "password", "PASSWORD", "db_password", "passwd", "passphrase", "pass", "user_pass", "secret", "client_secret",
    "SECRET_KEY", "token", "access_token", "tokens", "api_key", "apikey", "API_KEY", "credentials", "Authorization",
    "private_key", "privatekey", Text("password"),
    "password2", "password_again", "old_password_hash", "X-Api-Key", "private-key",
])  # fmt: skip
def test_names_of_secrets(name: object) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["x", "user", "passenger", "passed", "key", "", 7, None, ("password",), "author"])
def test_other_names(name: object) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.5, "2.5"),
        ("a\nb", r"'a\nb'"),
        (None, "None"),
        ([1, (2,), {3}], "[1, (2,), {3}]"),
        ({"x": 1}, "{'x': 1}"),
        (Says("a\nb"), r"<Says text='a\nb'>"),
        ({"password": SECRET}, "{'password': ***}"),
        ([{"user": {"token": [SECRET]}}], "[{'user': {'token': ***}}]"),
        ({1: 2, "api_key": {"nested": SECRET}}, "{1: 2, 'api_key': ***}"),
        ({"b": 1, "a": 2}, "{'a': 2, 'b': 1}"),
        ([[[[1]]], [], {}, ()], "[[[[...]]], [], {}, ()]"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]"),
        pytest.param(10**40, "100000000000000000...0000000000000000000", id="int"),
        pytest.param(1 << 10**7, "<int of 10000001 bits>", id="long int"),
        (Text("abc"), "Text('abc')"),
        (deque([1], 3), "deque([1])"),
        (OrderedDict(a=1), "OrderedDict({'a': 1})"),
        (Point(1, SECRET), "Point(x=1, password=***)"),
        (Order(7, SECRET, 8, [Says(1)]), "Order(id=7, token=***, lines=[<Says ...>])"),
        (Slots(), "<Slots public=1, _private=2>"),
        (Colour.RED, "<Colour.RED: 1>"),
        (Colour, f"<class '{__name__}.Colour'>"),
        ([Fields()], "[<Fields x=1>]"),
        (Says(1).__repr__, "<bound method Says.__repr__>"),
        (re.compile("x"), "re.compile('x')"),
        (range(3), "range(0, 3)"),
        (ValueError("x", [1]), "ValueError('x', [1])"),
        (datetime(2020, 1, 2, tzinfo=UTC), "datetime.datetime(2020, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)"),
        (datetime(2020, 1, 2, tzinfo=Zone()), "datetime.datetime(2020, 1, 2, 0, 0, tzinfo=<Zone>)"),
        (UUID(int=1), "UUID('00000000-0000-0000-0000-000000000001')"),
        (PosixPath("/x"), "PosixPath('/x')"),
        (Decimal("1.5"), "Decimal('1.5')"),
        (threading, "<module 'threading'>"),
        (Namespace(name="x", _inner="y", parts=[1]), "<Namespace name='x'>"),  # a library's: its inside says little
        (Model(id=1, token=SECRET, hidden=SECRET), "Model(id=1, token=***, secret=***, other=<SecretStr ***>)"),
    ],
)
def test_one_line_for_any_value(value: object, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize("make", MAKE)
def test_nothing_of_the_value_is_run(make: Callable[[], Any]) -> None:
    value = make()
    with nothing_runs():
        assert short(value)
        for whole in made_of_traps(value):
            assert short(whole)
        assert not is_secret(value)
        assert call_text(plain, [value], {"y": value})


def test_attributes_that_attrs_does_not_print_are_not_shown() -> None:
    kind = attrs.make_class("Order", {"id": attrs.field(), "hidden": attrs.field(repr=False), "token": attrs.field()})

    assert short(kind(1, SECRET, SECRET)) == "Order(id=1, token=***)"


def test_what_an_orm_has_loaded_is_shown_and_nothing_is_queried() -> None:
    class Base(DeclarativeBase): ...

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        password: Mapped[str]

    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(User(id=1, name="ann", password=SECRET))
        session.commit()
        user = session.get_one(User, 1)
        asked: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *about: asked.append(about[2]))
        shown = short(user)
        assert [part for part in ("id=1", "name='ann'", "password=***") if part not in shown] == []
        assert shown.startswith("<User ")
        session.expire(user)
        assert "name" not in short([user, session.query(User)])
        assert asked == []
    engine.dispose()


def endless() -> Any:
    value: Any = []
    for _ in range(10_000):
        value = [value]
    return value


def around() -> Any:
    value: dict[str, Any] = {}
    value["self"] = [value]
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 10_000_000,
        lambda: b"x" * 10_000_000,
        lambda: Text("x" * 1_000_000),
        lambda: Says("x" * 1_000_000),
        lambda: list(range(1_000_000)),
        lambda: 1 << 10**8,
        lambda: Decimal("1" * 100_000),
        lambda: {"x" * 10**6: {"y" * 10**6: 1}},
        lambda: types.SimpleNamespace(**{f"name{number}": number for number in range(10_000)}),
        lambda: dict.fromkeys(range(100_000), "x" * 1000),
        lambda: set(range(100_000)),
        endless,
        around,
        threading.Lock,
        lambda: 10**4000,
    ],
)
def test_it_is_never_long(make: Callable[[], Any]) -> None:
    assert len(short(make())) < 2000


def test_what_is_long_at_all_levels_is_not_long_either() -> None:
    assert len(short([[["x" * 1000] * 20] * 20] * 20)) < 20_000


@pytest.mark.parametrize("space", ["\n", "\r", "\x1b[2J", "\u2028", "\x0b", "\x9b"])
def test_it_is_one_line_that_no_terminal_obeys(space: str) -> None:
    assert space not in short(Says(f"a{space}b"))
    assert space not in short({f"a{space}b": 1})
    assert space not in short(type(f"a{space}b", (), {})())


@pytest.mark.parametrize(
    "value",
    [
        {"password": SECRET},
        [({"a": {"secret": SECRET}},)],
        {"a": {"b": {"c": {"password": SECRET}}}},
        {f"a{number}": number for number in range(9)} | {"password": SECRET, "z": 1},
        OrderedDict(password=SECRET),
        defaultdict(str, password=SECRET),
        Says({"password": SECRET}),
        Starlette(SECRET),
        {b"password": SECRET},
        {Text("password"): SECRET},
    ],
)
def test_secrets_in_dictionaries(value: object) -> None:
    assert SECRET not in short(value)


# --- the arguments of a call ---


def login(user: str, password: str, *rest: Any, token: str = "", **more: Any) -> None: ...


def plain(x: int, y: int = 2) -> None: ...


def collects(*secrets: str) -> None: ...


class Task:
    def run(self, user: str, password: str) -> None: ...


def weird(x: int) -> None: ...


weird.__signature__ = 7  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "text"),
    [
        (plain, (10,), {}, "x=10"),
        (plain, (10, 0), {}, "x=10, y=0"),
        (plain, [10], {"y": 0}, "x=10, y=0"),
        (plain, (), {"y": 0}, "y=0"),
        (plain, (), {}, ""),
        (plain, (1, 2, 3), {}, "x=1, y=2, 3"),
        (plain, (1,), {"x": 2}, "x=1, x=2"),
        (print, (1, 2), {"sep": "-"}, "1, 2, sep='-'"),
        (7, (1,), {"y": 2}, "1, y=2"),
        (weird, (1,), {"password": SECRET}, f"1, password={MASK}"),
        (login, ("ann", SECRET), {}, f"user='ann', password={MASK}"),
        (login, (), {"password": SECRET, "user": "ann"}, f"password={MASK}, user='ann'"),
        (
            login, ("ann", SECRET, 1, {"token": SECRET}), {"token": SECRET, "x": 1, "api_key": SECRET},
            f"user='ann', password={MASK}, 1, {{'token': {MASK}}}, token={MASK}, x=1, api_key={MASK}",
        ),
        (Task().run, ("ann", SECRET), {}, f"user='ann', password={MASK}"),
        (plain, (Says(1),), {}, "x=<Says text=1>"),
        (plain, ({"password": SECRET},), {}, f"x={{'password': {MASK}}}"),
    ],
)  # fmt: skip
def test_the_arguments_of_a_call(function: Any, args: Any, kwargs: dict[str, Any], text: str) -> None:
    assert call_text(function, args, kwargs) == text


def test_a_call_that_does_not_fit_gives_nothing_away() -> None:
    """A task that fails for being called wrongly can be paused at that failure."""
    assert SECRET not in call_text(Task().run, ("ann", SECRET, "one too many"), {})


def test_secrets_that_are_collected() -> None:
    assert SECRET not in call_text(collects, (SECRET, SECRET), {})


class Unknown:
    @property
    def __signature__(self) -> Any:
        raise NameError("name 'Path' is not defined")  # as from annotations, where these are evaluated late

    def __call__(self, *args: Any) -> None: ...


def test_a_signature_that_cannot_be_had() -> None:
    assert call_text(Unknown(), (1,), {}) == "1"


def test_of_many_values_in_one_another_some_are_looked_at() -> None:
    text = short([[[1] * 10] * 10] * 10)

    assert "1" in text
    assert text.count("1") < 200
    assert not text.endswith("…")  # the text itself had room for more
