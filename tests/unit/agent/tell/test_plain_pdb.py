"""What pdb says by itself where it stops, and that it asks nothing of the values for it."""

import io
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from devkit.agent.replay.stepping import post_mortem
from devkit.agent.tell.plain_pdb import PlainPdb
from tests.unit.agent.tripwires import MAKE, error, nothing_runs


def returns(value: Any) -> Any:
    return value


def fails(made: BaseException) -> Any:
    raise made


def stops(call: Callable[..., Any], value: Any, commands: str) -> str:
    """What it prints while this is stepped through."""
    out = io.StringIO()
    debugger = PlainPdb(stdin=io.StringIO(commands), stdout=out, nosigint=True, readrc=False)
    debugger.use_rawinput = False
    tracer = sys.gettrace()
    try:
        debugger.runcall(call, value)
    except BaseException:  # noqa: BLE001, S110 - what it raises is what is tested
        pass
    finally:
        sys.settrace(tracer)
    return out.getvalue()


@pytest.mark.parametrize("make", MAKE)
def test_nothing_is_run_where_it_stops(make: Callable[[], Any]) -> None:
    value = make()
    raised = error(ValueError, value)
    with nothing_runs():
        returned = stops(returns, value, "r\nw\nc\n")
        failed = stops(fails, raised, "n\nn\nw\nc\n")
    assert "--Return--\n" in returned
    assert "returns()->" in returned
    assert "TrappedValueError" in failed


def test_it_says_what_pdb_says() -> None:
    assert "returns()->[1, 2]\n-> return value\n" in stops(returns, [1, 2], "r\nc\n")
    assert "(Pdb) ValueError: x\n> " in stops(fails, ValueError("x"), "n\nn\nc\n")
    assert "(Pdb) ValueError\n> " in stops(fails, ValueError(), "n\nn\nc\n")


def test_commands_may_run_what_they_are_asked_to() -> None:
    printed = stops(fails, ValueError("x"), "n\nn\np __exception__[1].args\nc\n")
    assert "('x',)" in printed


def test_a_post_mortem_begins_with_what_was_raised(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = error(ValueError, "x")
    with suppress(ValueError):
        fails(made)
    monkeypatch.setattr("sys.stdin", io.StringIO("c\n"))
    with nothing_runs():
        post_mortem(made, lambda _: True)

    assert capsys.readouterr().out.startswith(f"{error.__module__}.TrappedValueError: x\n> ")
