"""The stored breakpoints, and how a line is found and followed."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from devkit.model.breakpoint import Breakpoint
from devkit.store.breakpoints import Breakpoints, at_line, where_now

SHOP = '''"""The shop."""

import math


@task(
    bind=True,
)
def total(
    prices,
    rate=1,
):
    """What all of it costs.

    With taxes.
    """
    # the sum first

    result = math.fsum(
        prices,
    )
    return result * rate


def half(price): return price / 2


class Till:
    def count(self):
        def inner():
            return 1

        return inner()


# the end
'''
ADD = """
import sys
from devkit.model.breakpoint import Breakpoint
from devkit.store.breakpoints import Breakpoints
for line in range(25):
    Breakpoints(sys.argv[1]).add(Breakpoint(0, "line", file=sys.argv[2], line=line))
"""


@pytest.fixture
def store(tmp_path: Path) -> Breakpoints:
    return Breakpoints(str(tmp_path / ".devkit" / "debug"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.py"
    file.write_text(SHOP)
    return file


def line_of(text: str, source: str = SHOP) -> int:
    """The number of the first line that holds this text."""
    return next(number for number, line in enumerate(source.split("\n"), 1) if text in line)


def set_at(shop: Path, text: str) -> Breakpoint:
    return at_line(str(shop.parent), "shop.py", line_of(text, shop.read_text()))


def found_at(shop: Path, breakpoint_: Breakpoint) -> "str | None":
    """The text of the line at which the breakpoint is now."""
    line = where_now(str(shop.parent), breakpoint_)
    return None if line is None else shop.read_text().split("\n")[line - 1]


def test_what_was_added_is_there_with_numbers(store: Breakpoints) -> None:
    first = store.add(Breakpoint(0, "task", task="shop.total", condition="rate > 1"))
    second = store.add(Breakpoint(0, "failure", retries=True))
    third = store.add(Breakpoint(0, "line", file="shop.py", line=3, context=("a", "b"), at=1))

    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert Breakpoints(store.folder).all() == [first, second, third]


def test_at_the_same_place_the_new_one_replaces_the_old(store: Breakpoints) -> None:
    store.add(Breakpoint(0, "task", task="shop.total", condition="rate > 1"))
    other = store.add(Breakpoint(0, "task", task="shop.half"))
    again = store.add(Breakpoint(0, "task", task="shop.total", condition="rate > 2"))

    assert again == Breakpoint(1, "task", task="shop.total", condition="rate > 2")
    assert store.all() == [again, other]


def test_removed_ones_are_gone(store: Breakpoints) -> None:
    numbers = [store.add(Breakpoint(0, "task", task=name)).number for name in ("a", "b", "c")]

    assert store.remove([numbers[0], numbers[2], 77]) == 2
    assert [left.task for left in store.all()] == ["b"]
    assert store.remove([numbers[0]]) == 0

    assert store.remove([numbers[1]]) == 1
    assert store.all() == []
    assert not Path(store.path).exists()


def test_without_a_file_there_is_none(store: Breakpoints) -> None:
    assert store.all() == []
    assert store.remove([1]) == 0
    assert not Path(store.folder).exists()


def test_only_the_user_can_read_them(store: Breakpoints) -> None:
    store.add(Breakpoint(0, "failure"))

    assert stat.S_IMODE(Path(store.folder).stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(store.path).stat().st_mode) == 0o600
    assert [file.name for file in Path(store.folder).iterdir()] == ["breakpoints.json"]


GOOD = json.dumps([Breakpoint(1, "task", task="shop.total").to_wire()])


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        GOOD[:-9].encode(),
        b"\xff\xfe",
        b"null",
        b"7",
        b"[7]",
        b"[[]]",
        b'{"a": 1}',
        b'[{"number": 1}]',
        b"[" * 100_000,
        GOOD.replace('"task"', '"wish"', 1).encode(),
        GOOD.replace('"kind": "task"', '"kind": "wish"').encode(),
        GOOD.replace('"number": 1', '"number": "1"').encode(),
        GOOD.replace('"context": []', '"context": [1]').encode(),
        GOOD.replace('"context": []', '"context": ["x"]').replace('"at": 0', '"at": 1').encode(),
    ],
)
def test_junk_reads_as_none_and_is_kept_aside(store: Breakpoints, junk: bytes) -> None:
    Path(store.folder).mkdir(parents=True)
    Path(store.path).write_bytes(junk)

    assert store.all() == []
    assert store.remove([1]) == 0
    assert Path(store.path).read_bytes() == junk

    added = store.add(Breakpoint(0, "failure"))
    assert store.all() == [added]
    assert Path(store.path + ".broken").read_bytes() == junk


def test_commands_at_the_same_time_lose_nothing(store: Breakpoints) -> None:
    commands = [subprocess.Popen([sys.executable, "-c", ADD, store.folder, name]) for name in ("a", "b", "c")]

    assert [command.wait() for command in commands] == [0, 0, 0]
    assert [found.number for found in store.all()] == list(range(1, 76))


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("import math", "import math"),
        ("# the sum first", "math.fsum"),
        ("math.fsum", "math.fsum"),
        ("        prices,", "        prices,"),
        ("    )", "math.fsum"),
        ("With taxes", "math.fsum"),
        ("@task", "math.fsum"),
        ("    bind", "math.fsum"),
        ("def total", "math.fsum"),
        ("rate=1", "math.fsum"),
        ("):", "math.fsum"),
        ("def half", "def half"),
        ("def count", "def inner"),
        ("def inner", "def inner"),
        ("return 1", "return 1"),
        ("return result", "return result"),
    ],
)
def test_a_line_without_code_stands_for_one_with(shop: Path, line: str, meant: str) -> None:
    # "    )" alone would be found in the decorator first.
    start = SHOP.index("math.fsum") if line in {"    )", "        prices,"} else 0
    number = SHOP[:start].count("\n") + line_of(line, SHOP[start:])

    found = at_line(str(shop.parent), "shop.py", number)

    assert SHOP.split("\n")[found.line - 1].strip().find(meant.strip()) >= 0
    assert found.context[found.at] == SHOP.split("\n")[found.line - 1]
    assert where_now(str(shop.parent), found) == found.line


@pytest.mark.parametrize(
    ("file", "line", "why"),
    [
        ("gone.py", 1, "there is no file gone.py"),
        ("shop.py", 0, "shop.py has 36 lines, and no line 0"),
        ("shop.py", 37, "shop.py has 36 lines, and no line 37"),
        ("shop.py", 36, "there is no code at line 36 of shop.py, and none below it"),
        ("bad.py", 1, "bad.py cannot be read as Python: "),
        ("binary.py", 1, "binary.py cannot be read as Python: "),
        ("zero.py", 1, "zero.py cannot be read as Python: "),
        ("empty.py", 1, "empty.py has 0 lines, and no line 1"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(shop: Path, file: str, line: int, why: str) -> None:
    (shop.parent / "bad.py").write_text("def :\n")
    (shop.parent / "binary.py").write_bytes(b"\xff\xfe\n")
    (shop.parent / "zero.py").write_bytes(b"x = '\0'\n")
    (shop.parent / "empty.py").write_text("")

    with pytest.raises(ValueError, match=f"^{re.escape(why)}"):
        at_line(str(shop.parent), file, line)


@pytest.mark.parametrize("condition", ["rate >", "x = 1", "import os", "(", "a\0"])
def test_a_condition_must_be_an_expression(shop: Path, condition: str) -> None:
    with pytest.raises(ValueError, match="is not an expression: "):
        at_line(str(shop.parent), "shop.py", 3, condition)


def test_a_files_path_is_from_the_root(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = shop.parent
    (root / "inner").mkdir()
    (root / "inner" / "own.py").write_text("x = 1\n")
    elsewhere = root.parent / f"{root.name}-link"
    elsewhere.symlink_to(root)
    other = root.parent / f"{root.name}-other.py"
    other.write_text("x = 1\n")
    monkeypatch.chdir(root / "inner")

    assert at_line(str(root), "own.py", 1).file == "inner/own.py"
    assert at_line(str(root), "shop.py", 3).file == "shop.py"
    assert at_line(str(root), str(shop), 3).file == "shop.py"
    assert at_line(str(root), str(elsewhere / "shop.py"), 3).file == "shop.py"
    assert at_line(str(elsewhere), str(shop), 3).file == "shop.py"
    assert at_line(str(root), str(other), 1).file == str(other)


def test_it_follows_its_line(shop: Path) -> None:
    found = set_at(shop, "return result")
    before = shop.read_text()

    for edited in (
        "# one more\n" * 30 + before,
        before.replace("import math\n", ""),
        before.replace("    return result", "    if rate:\n        return result"),
        before.replace("        prices,\n    )", "        prices\n    )\n    print(result)").replace(
            "def half", "def third"
        ),
    ):
        shop.write_text(edited)
        assert str(found_at(shop, found)).strip() == "return result * rate"


def test_of_lines_with_the_same_text_its_own_is_found(shop: Path) -> None:
    """Also where another one has come to be at its number."""
    parts = [f"def f{number}(x):\n    y = x + {number}\n    return y\n" for number in range(20)]
    shop.write_text("\n".join(parts))
    found = at_line(str(shop.parent), "shop.py", 4 * 10 + 3)
    assert found.context[found.at] == "    return y"

    for edited in (parts[:5] + parts[7:], parts[5:], ["x = 1\n" * 3, *parts], [*parts[15:], *parts[:15]]):
        shop.write_text("\n".join(edited))
        line = where_now(str(shop.parent), found)
        assert line is not None
        assert shop.read_text().split("\n")[line - 2] == "    y = x + 10"


def test_a_line_whose_neighbours_changed_stays(shop: Path) -> None:
    shop.write_text("a = 1\nb = 2\nwork(a)\nc = 3\n" + "\n" * 9 + "work(a)\n")
    found = at_line(str(shop.parent), "shop.py", 3)

    shop.write_text("d = 1\ne = 2\nwork(a)\nf = 3\n" + "\n" * 9 + "work(a)\n")

    assert where_now(str(shop.parent), found) == 3


def test_a_line_that_is_gone_is_not_found(shop: Path) -> None:
    found = set_at(shop, "return result")

    shop.write_text(SHOP.replace("return result * rate", "return rate * result"))
    assert found_at(shop, found) is None
    shop.write_bytes(b"\xff\xff")
    assert where_now(str(shop.parent), found) is None
    shop.unlink()
    assert where_now(str(shop.parent), found) is None


def test_numbers_are_those_that_python_counts(shop: Path) -> None:
    shop.write_bytes("a = 'é\u2028\x0c'\r\nb = 2\r\n".encode())

    assert at_line(str(shop.parent), "shop.py", 2).context[1] == "b = 2"


@pytest.mark.parametrize(
    ("wanted", "task", "meant"),
    [
        ("", "shop.tasks.total", True),
        ("total", "shop.tasks.total", True),
        ("tasks.total", "shop.tasks.total", True),
        ("shop.tasks.total", "shop.tasks.total", True),
        ("otal", "shop.tasks.total", False),
        ("shop", "shop.tasks.total", False),
    ],
)
def test_a_tasks_name_may_be_cut(wanted: str, task: str, meant: bool) -> None:
    assert Breakpoint(1, "failure", task=wanted).concerns(task) is meant
