"""What could come next at the prompt, found without running anything of the project's."""

import functools
import time
import types
from collections import OrderedDict, UserDict
from collections.abc import Callable
from typing import Any

import pytest

from devkit.agent.debugger.completion import MOST, attributes, complete
from tests.unit.agent.tripwires import MAKE, OwnMapping, equal_to_all, nothing_runs

COMMANDS = ("p", "pp", "next", "until", "where")


def matches(text: str, **names: Any) -> list[str]:
    return complete(text, COMMANDS, names, {})[1]


class Plain:
    kind = "plain"

    def __init__(self) -> None:
        self.name = "x"
        self.names = ["x"]

    def act(self) -> None: ...


def test_commands_come_first_in_a_line_only() -> None:
    assert matches("n") == ["next", "nonlocal", "not"]
    assert matches("p n", number=1) == ["next", "nonlocal", "not", "number"]  # the function
    assert "where" in matches("")
    assert "where" not in matches(" ")
    assert "where" not in matches("p ")


@pytest.mark.parametrize(
    ("text", "start", "found"),
    [
        ("p task.na", 7, ["name", "names"]),
        ("task.na", 5, ["name", "names"]),
        ("p task . na", 9, ["name", "names"]),
        ("p task.", 7, ["act", "kind", "name", "names"]),
        ("p task.names.app", 13, ["append"]),
        ("print(task.ki", 11, ["kind"]),
        ("x = [task.ac", 10, ["act"]),
        ("p täsk.na", 7, ["name", "names"]),
        ("p task.nothing.na", 15, []),
        ("p nobody.na", 9, []),
        ("p nobo", 2, []),
        ("p ta", 2, ["task"]),
        ("p tä", 2, ["täsk"]),
        ("p 'x' + ta", 8, ["task"]),
        ("", 0, None),
    ],
)
def test_where_the_word_begins_and_what_it_may_become(text: str, start: int, found: list[str] | None) -> None:
    begins, candidates = complete(text, COMMANDS, {"task": Plain(), "täsk": Plain()}, {})

    assert begins == start
    assert found is None or candidates == found


@pytest.mark.parametrize("text", ["p f(1).na", "p x[0].na", "p 'x'.na", "p 1.na"])
def test_of_what_only_running_could_tell_nothing_is_offered(text: str) -> None:
    assert matches(text, name="x") == []


def test_names_of_the_frame_hide_those_of_the_module_and_these_the_builtins() -> None:
    def found(*spaces: dict[str, Any]) -> list[str]:
        return complete("p str.na", (), *spaces)[1]

    assert found({"str": Plain()}, {"str": 1}) == ["name", "names"]
    assert found({}, {"str": Plain()}) == ["name", "names"]
    assert complete("p str.spl", (), {}, {})[1] == ["split", "splitlines"]


def test_private_names_are_offered_to_those_who_begin_with_an_underscore() -> None:
    assert matches("p _p", _private=1) == ["_private"]
    assert matches("p priv", _private=1) == []
    assert "_private" not in matches("p ", _private=1)
    assert "__init__" in matches("p x.__in", x=Plain())


def test_of_very_many_the_first_are_offered() -> None:
    names = {f"name{number:04}": number for number in range(5000)}

    assert matches("p name", **names) == [f"name{number:04}" for number in range(MOST)]


class Parent:
    inherited = Plain()


class Child(Parent):
    __slots__ = ("unset", "value")

    def __init__(self) -> None:
        self.value = Plain()

    @staticmethod
    def static() -> None: ...

    @functools.cached_property
    def cached(self) -> Plain:
        return Plain()


def test_slots_classes_and_modules_have_attributes_too() -> None:
    child = Child()
    assert matches("p x.", x=child) == ["cached", "inherited", "static", "unset", "value"]
    assert matches("p x.value.na", x=child) == ["name", "names"]
    assert matches("p x.unset.na", x=child) == []
    assert matches("p x.inherited.na", x=child) == ["name", "names"]
    assert matches("p x.cached.na", x=child) == []
    _ = child.cached
    assert matches("p x.cached.na", x=child) == ["name", "names"]
    assert matches("p Child.inh", Child=Child) == ["inherited"]
    assert matches("p Child.mr", Child=Child) == ["mro"]
    assert "path" in matches("p os.pa", os=__import__("os"))
    assert matches("p os.path.basen", os=__import__("os")) == ["basename"]


def test_names_that_are_no_text_are_passed_over() -> None:
    thing = Plain()
    vars(thing)[1] = 2  # type: ignore[index]

    assert "name" in attributes(thing)
    assert 1 not in attributes(thing)  # type: ignore[comparison-overlap]


# --- what runs code ---


@pytest.mark.parametrize("make", MAKE)
def test_nothing_is_run(make: Callable[[], Any]) -> None:
    """A property may query a database, wait for ever, or count how often it was asked."""
    value = make()
    texts = ("p x", "p x.", "p x.trap", "p x.trap.", "p x.trap.y", "p x.late.y", "p x.__class__.", "p x.__dict__.")
    with nothing_runs():
        for text in texts:
            complete(text, COMMANDS, {"x": value}, {})
            complete(text, COMMANDS, {"x": types.SimpleNamespace(trap=value)}, {})


def test_names_are_not_asked_whether_they_are_the_one() -> None:
    names: dict[Any, Any] = {"x": Plain()}
    names[equal_to_all("zz")] = names[equal_to_all("x.")] = 1
    with nothing_runs():
        assert complete("p zz", COMMANDS, names, {})[1] == []
        assert complete("p x.na", COMMANDS, names, names)[1] == ["name", "names"]


def test_a_frame_of_a_class_body_may_have_a_mapping_of_its_own() -> None:
    assert complete("p na", (), OrderedDict(name=1), {}) == (2, ["name"])
    with nothing_runs():
        assert complete("p na", (), OwnMapping(name=1), {}) == (2, ["name"])
        assert complete("p na", (), UserDict(name=1), {}) == (2, [])


# --- long lines ---


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("p '" + "QUFB" * 2_000 + "'", id="one long word"),
        pytest.param("p " + "a." * 4_000 + "!", id="many dots"),
        pytest.param("p " + "a " * 20_000, id="many words"),
        pytest.param("p x" + " " * 20_000 + ".", id="many spaces"),
        pytest.param("p x" + " ." * 10_000, id="dots and spaces"),
    ],
)
def test_a_long_line_takes_no_time(text: str) -> None:
    """It is completed with each key that is pressed, while the whole process waits."""
    began = time.process_time()
    complete(text, COMMANDS, {"x": 1}, {})

    assert time.process_time() - began < 0.5
