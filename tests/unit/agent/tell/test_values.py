"""Values as text: never long, never failing, without secrets."""

import re
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from devkit.agent.tell.values import MASK, call_text, is_secret, short

SECRET = "hunter2"  # noqa: S105 - it opens nothing


class Raises:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


class Says:
    def __init__(self, text: Any) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text  # type: ignore[no-any-return]


class Text(str):
    __slots__ = ()


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
        (Says("a\nb"), r"a\nb"),
        ({"password": SECRET}, "{'password': ***}"),
        ([{"user": {"token": [SECRET]}}], "[{'user': {'token': ***}}]"),
        ({1: 2, "api_key": {"nested": SECRET}}, "{1: 2, 'api_key': ***}"),
        (Raises(ValueError()), "<Raises>"),
        (Raises(KeyboardInterrupt()), "<Raises: its repr raises KeyboardInterrupt>"),
        (Raises(SystemExit()), "<Raises: its repr raises SystemExit>"),
        (Raises(GeneratorExit()), "<Raises: its repr raises GeneratorExit>"),
        ([1, Raises(SystemExit())], "[1, <Raises: its repr raises SystemExit>]"),
        (Says(7), "<Says>"),
        pytest.param(10**10_000, "<int: its repr raises ValueError>", id="Python writes no longer ones"),
    ],
)
def test_one_line_for_any_value(value: object, text: str) -> None:
    # Of an Exception Python's own reprlib tells less.
    assert re.sub(r" instance at 0x\w+", "", short(value)) == text


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


class NamelessType(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise ValueError("no name")


def test_of_a_type_whose_name_raises() -> None:
    assert short(NamelessType("Made", (), {})())


@pytest.mark.parametrize(
    "value",
    [
        {"password": SECRET},
        [({"a": {"secret": SECRET}},)],
        {"a": {"b": {"c": {"password": SECRET}}}},
        {f"a{number}": number for number in range(9)} | {"password": SECRET, "z": 1},
        OrderedDict(password=SECRET),
        defaultdict(str, password=SECRET),
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
        (plain, (Raises(SystemExit()),), {}, "x=<Raises: its repr raises SystemExit>"),
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
