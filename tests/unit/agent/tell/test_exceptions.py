"""What exceptions say, without being asked where they answer by code of the project's."""

import json
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.exceptions import NotRegistered, Reject, Retry

from devkit.agent.tell.exceptions import answers_itself, last_line, message, traceback_text
from tests.unit.agent.tripwires import MAKE, equal_to_all, error, made_of_traps, never, nothing_runs, trapped


class Quiet(Exception):  # noqa: N818 - it says nothing itself
    """One like most."""


class AnswersError(Exception):
    def __str__(self) -> str:
        return f"my own words\nabout {self.args[-1]}"


class AnswersFileError(OSError):
    __str__ = AnswersError.__str__


def raised(call: Callable[[], Any]) -> BaseException:
    """What this raises."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any
        call()
    return caught.value


def of(made: BaseException, cause: "BaseException | None" = None) -> Callable[[], Any]:
    def go() -> Any:
        raise made from cause

    return go


KNOWN = [
    ValueError(), ValueError("x"), ValueError(1), ValueError("x", 1), ValueError({"a": [1, None, 2.5]}), ValueError(""),
    KeyError("x"), KeyError(1, 2), OSError(2, "no such file", "/x", None, "/y"), OSError("x"),
    FileNotFoundError(2, "x"), ImportError("x", name="y"), SyntaxError("x", ("f.py", 3, 1, "x =")),
    Quiet("x"), Quiet(Path("/x")), Quiet(b"x"),
    UnicodeDecodeError("utf-8", b"\xff" * 10, 1, 2, "bad"), UnicodeEncodeError("ascii", "\xff" * 10, 1, 2, "bad"),
    StopIteration(3), SystemExit(2), RuntimeError(ValueError("inner")), RuntimeError("x" * 3000), NotRegistered("x"),
    TimeLimitExceeded(3), WorkerLostError("x"), Reject("x", requeue=True), subprocess.CalledProcessError(3, ["ls"]),
    ExceptionGroup("some", [ValueError(1), KeyError(2)]),
]  # fmt: skip


@pytest.mark.parametrize("made", KNOWN, ids=lambda one: type(one).__name__)
def test_what_is_known_is_said_as_python_says_it(made: BaseException) -> None:
    assert message(made) == str(made)
    assert not answers_itself(made)
    shown = "".join(traceback.format_exception_only(made))
    assert last_line(made) in (shown.rstrip(), f"{shown.splitlines()[-1]} (f.py, line 3)")


@pytest.mark.parametrize("made", [*KNOWN, Quiet("x", None)], ids=lambda one: type(one).__name__)
def test_tracebacks_are_as_python_writes_them(made: BaseException) -> None:
    made.add_note("a note\nof two lines")
    error = raised(lambda: raised_while_handling(of(made, raised(of(KeyError("k"))))))

    assert traceback_text(error, error.__traceback__) == "".join(traceback.format_exception(error))


def raised_while_handling(call: Callable[[], Any]) -> None:
    try:
        call()
    except BaseException:  # noqa: BLE001 - any
        raise Quiet("while handling that")  # noqa: B904 - what is tested


def test_those_that_lead_in_a_circle_end() -> None:
    one, other = raised(of(Quiet("one"))), raised(of(Quiet("other")))
    one.__context__, other.__context__ = other, one

    assert traceback_text(one, None) == "".join(traceback.format_exception(type(one), one, None))


def test_of_very_many_the_nearest_are_told() -> None:
    error: BaseException = Quiet(0)
    for number in range(1, 5000):
        error, before = Quiet(number), error
        error.__cause__ = before
    text = traceback_text(error, None)

    assert "Quiet: 4999\n" in text
    assert "Quiet: 4981\n" in text
    assert "Quiet: 4900\n" not in text


@pytest.mark.parametrize("kind", [AnswersError, AnswersFileError])
def test_own_words_are_taken_from_what_celery_has_written(kind: Any) -> None:
    made = kind(1, "x")
    made.add_note("a note")
    error = raised(of(made, raised(of(kind("first")))))
    told = "".join(traceback.format_exception(error))

    assert answers_itself(error)
    assert message(error, told) == "my own words\nabout x"
    assert message(error, "") == "(1, 'x')"
    assert message(error, "Traceback (most recent call last):\nValueError: of something else") == "(1, 'x')"
    assert traceback_text(error, error.__traceback__, told) == told
    assert message(error, "".join(traceback.format_exception(Retry(exc=error)))) == "(1, 'x')"


def test_long_ones_are_cut() -> None:
    made = ValueError("x" * 10**7)

    assert message(made) == "x" * 4000
    assert len(traceback_text(made, None)) < 20_100
    assert len(message(ValueError(["x" * 10**6] * 100))) < 2000
    assert message(ValueError(10**10_000)) == "<int of 33220 bits>"


def link(name: str, one: BaseException, other: BaseException) -> None:
    vars(BaseException)[name].__set__(one, other)


@pytest.mark.parametrize("make", MAKE)
def test_nothing_is_run(make: Callable[[], Any]) -> None:
    trap = make()
    made = [
        ValueError(trap),
        KeyError(trap),
        OSError(1, trap),
        ImportError(trap),
        Quiet(trap, trap),
        error(Quiet, trap),
    ]
    made += [one for one in made_of_traps(trap) if type(one).__mro__[-2] is BaseException]
    os_error, syntax = OSError(1, "x"), SyntaxError("x", ("f", 1, 1, "x"))
    os_error.filename = syntax.msg = syntax.filename = syntax.text = trap
    noted = Quiet("x")
    noted.__notes__ = [trap]
    made += [os_error, syntax, noted]
    made.append(ExceptionGroup("some", [ValueError(trap), error(ValueError, trap)]))
    made.append(ExceptionGroup(trapped(str)("some"), [ValueError(trap)]))
    vars(made[0])[equal_to_all("__notes__")] = trap
    for one in made:
        link("__cause__", one, error(Quiet, trap))
        link("__context__", one, error(Quiet, trap))
    with nothing_runs():
        for one in made:
            assert json.dumps(
                [message(one), last_line(one), traceback_text(one, None), message(one, "told"), answers_itself(one)]
            )


def test_a_str_of_the_projects_own_is_never_called() -> None:
    made = type("Own", (Quiet,), {"__str__": never, "__repr__": never})("x")
    with nothing_runs():
        assert message(made) == "x"
