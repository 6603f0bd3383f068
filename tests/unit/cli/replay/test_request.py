"""Which options of `devkit replay` go together."""

from dataclasses import fields
from typing import Any

import pytest

from devkit.cli.replay.request import Request
from devkit.errors import UsageError

NAMES = {"breaks": "break", "every": "all", "as_json": "json", "args_json": "args", "kwargs_json": "kwargs"}
# What each option is that takes a value.
VALUES = {
    "args_json": "[]", "kwargs_json": "{}", "queue": "slow", "save": "case.json", "to_test": "test_it.py",
    "task": "divide", "since": "2h",
}  # fmt: skip


def request(*given: str, failures: tuple[str, ...] = ("4f1c",), **more: Any) -> Request:
    """Of one failure, with these options."""
    nothing = {field.name: None if field.name in VALUES else False for field in fields(Request)}
    return Request(**{**nothing, **{name: VALUES.get(name, True) for name in given}, "failures": failures, **more})


def option(name: str) -> str:
    return "--" + NAMES.get(name, name).replace("_", "-")


def of_all(*given: str) -> Request:
    return request("every", *given, failures=())


@pytest.mark.parametrize(
    "given",
    [
        (), ("pdb",), ("breaks",), ("pdb", "breaks"), ("args_json", "kwargs_json"), ("args_json", "pdb"), ("live",),
        ("same",), ("same", "as_json"), ("watch",), ("watch", "live"), ("send",), ("send", "queue", "yes"),
        ("save", "with_secrets"), ("to_test", "with_secrets"), ("to_test", "args_json"), ("to_test", "as_json"),
        ("check", "as_json"), ("check", "args_json"), ("allow_pickle",),
    ],
)  # fmt: skip
def test_what_makes_sense_for_one_failure(given: tuple[str, ...]) -> None:
    request(*given).check_together()


@pytest.mark.parametrize(
    "given", [(), ("task", "since"), ("send", "yes"), ("check",), ("live",), ("same",), ("as_json",), ("args_json",)]
)
def test_what_makes_sense_for_all(given: tuple[str, ...]) -> None:
    of_all(*given).check_together()
    request(*set(given) - {"task", "since"}, failures=("4f1c", "77aa")).check_together()


def test_there_has_to_be_a_failure_and_not_two_ways_to_say_which() -> None:
    with pytest.raises(UsageError, match="which failure"):
        request(failures=()).check_together()
    with pytest.raises(UsageError, match="--all is every failure: it takes no id besides"):
        request("every").check_together()


@pytest.mark.parametrize("name", ["save", "to_test", "watch", "pdb", "breaks"])
def test_what_is_for_one_failure(name: str) -> None:
    for many in (of_all(name), request(name, failures=("4f1c", "77aa"))):
        with pytest.raises(UsageError, match=f"^{option(name)} is for one failure$"):
            many.check_together()


@pytest.mark.parametrize("name", ["save", "watch", "pdb", "breaks"])
def test_what_is_for_people(name: str) -> None:
    with pytest.raises(UsageError, match=f"^{option(name)} is for people, --json for scripts$"):
        request(name, "as_json").check_together()


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("queue", "--send"), ("yes", "--send"), ("with_secrets", "--save or --to-test"), ("task", "--all"),
        ("since", "--all"),
    ],
)  # fmt: skip
def test_what_needs_another_one(name: str, other: str) -> None:
    with pytest.raises(UsageError, match=f"^{option(name)} goes with {other} only$") as caught:
        request(name).check_together()
    assert caught.value.mend == (f"add {other}, or leave it out",)


DOES = ("send", "save", "to_test", "check", "watch")


@pytest.mark.parametrize(("one", "other"), [(one, other) for one in DOES for other in DOES if one < other])
def test_one_thing_is_done_at_a_time(one: str, other: str) -> None:
    with pytest.raises(UsageError) as caught:
        request(one, other).check_together()
    assert {*caught.value.what.removesuffix(" do not go together").split(" and ")} == {option(one), option(other)}


RUNS = ("pdb", "breaks", "live", "same")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *((name, other) for name in ("send", "save") for other in (*RUNS, "args_json", "kwargs_json")),
        *(("check", other) for other in RUNS),
    ],
)
def test_what_runs_nothing_takes_nothing_that_says_how(name: str, other: str) -> None:
    with pytest.raises(UsageError) as caught:
        request(name, other).check_together()
    assert caught.value.what == f"{option(name)} runs nothing here: {option(other)} does not go with it"


def test_empty_arguments_are_arguments() -> None:
    with pytest.raises(UsageError, match="--args does not go with it"):
        request("send", args_json="").check_together()


@pytest.mark.parametrize(("given", "prompts"), [((), False), (("pdb",), True), (("breaks",), True), (("live",), False)])
def test_whether_somebody_steps_through_it(given: tuple[str, ...], prompts: bool) -> None:
    assert request(*given).prompts is prompts
