"""Tests written from failures: they run, they are right, they fail where they should, and pass review."""

import ast
import builtins
import os
import random
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from unittest.mock import MagicMock
from uuid import UUID

import pytest

from devkit.errors import UsageError
from devkit.model.failure import Failure
from devkit.model.wire import CallSource, Outcome
from devkit.replay.harmless import is_test
from devkit.replay.totest import source, write_test
from tests.unit.replay.failures import ID, failure, frame, outcome

# What would run if it got into a test as code, in all that a name, a text or a value may be taken for.
RUNS = "evil()"
AROUND = (
    "{}", "x\n{}", "x\r{}", "x\u2028{}", "\x0c{}", "\0{}", "\udc80{}", "\u202e{}", "# {}", "x; {}", "x)\n{}\n(",
    '"""\n{}\n"""', "'''\n{}\n'''", '" + {} + "', "' + {} + '", "\\\"\n{}", "x as y\n{}", "*, {}", "not {}", "@{}",
    "{{{}}}", "[{}][0]", "lambda: {}", "x[{}]", "f'{{{}}}'", "(x := {})", "x if {} else y", "x.{}", "x=1, y={}",
    "Decimal({})", "UUID(**{})", "datetime.{}",
)  # fmt: skip
BROKEN = (
    "",
    " ",
    ".",
    "class",
    "a..b",
    "ﬁnd",
    "²",
    "x\0",
    "\udc80",
    "x\n",
    "__debug__",
    "*",
    '"',
    "'",
    "\\",
    "é",
    "None",
)

RUFF = Path(sys.executable).with_name("ruff")

APP = """from celery import Celery

app = Celery("shop", broker="memory://", include=["shop.tasks"])
"""

TASKS = '''from shop.app import app


class OrderError(Exception):
    """Something about an order."""


class TestError(OrderError):
    """Named as pytest names tests."""


class Far(Exception):
    """Its module says nothing."""


Far.__module__ = "elsewhere"


@app.task
def divide(x, y):
    return x / y


@app.task
def find(number, **options):
    raise OrderError(f"no order (number {number})" + " and so on" * 20 * bool(options.get("a-b")))


@app.task
def test_order(number):
    raise TestError(f"no order at <object at {id(number):#x}>")


@app.task
def echo(value):
    return value


@app.task(name="sum")
def sum(values):
    raise Far("it is far")


@app.task(bind=True, max_retries=3)
def bound(self, x, y=0):
    if not self.request.id:
        raise RuntimeError("called without a request")
    if self.request.retries == 2:
        return "third time"
    return x / y


@app.task(bind=True)
def ignored(self):
    from celery.exceptions import Ignore

    raise Ignore("never mind")


@app.task
def skip():
    from celery.exceptions import Ignore

    raise Ignore("never mind")


def register():
    @app.task(name="hidden.task")
    def hidden(value):
        return 1 / value


register()
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").touch()
    (folder / "shop" / "app.py").write_text(APP)
    (folder / "shop" / "tasks.py").write_text(TASKS)
    return folder


def literals(name: str | None, *args: str, exception: tuple[str, str] | None = None, **more: Any) -> CallSource:
    given: CallSource = {
        "module": "shop.tasks",
        "name": name,
        "app": ["shop.app", "app"],
        "task": f"shop.tasks.{name}",
        "bound": False,
        "args": list(args),
        "kwargs": {},
        "imports": [],
        "exception": {"module": exception[0], "name": exception[1]} if exception else None,
    }
    return cast("CallSource", {**given, **more})


ZERO = ("builtins", "ZeroDivisionError")
FAILED = outcome()
LONG = repr({"rows": [{"id": number, "name": "Ä" * 20} for number in range(9)], "at": None})
WRITTEN: dict[str, tuple[CallSource, Outcome, Failure]] = {
    "raises": (literals("divide", "10", "0", exception=ZERO), FAILED, failure()),
    "special": (
        literals("find", "'7'", kwargs={"options": LONG, "at": "datetime.datetime(2024, 1, 2)"}, exception=(
            "shop.tasks", "OrderError"), imports=["import datetime"]),
        outcome(exception="shop.tasks.OrderError", message="no order (number 7)"),
        failure(exception="shop.tasks.OrderError"),
    ),
    "odd names": (
        literals("find", "7", kwargs={"not": "1", "a-b": "'x'"}, exception=("shop.tasks", "OrderError")),
        outcome(exception="shop.tasks.OrderError", message="no order (number 7)" + " and so on" * 20),
        failure(exception="shop.tasks.OrderError", message='"""\\N{x} \x1b\n' * 9),
    ),
    "named like tests": (
        literals("test_order", "7", exception=("shop.tasks", "TestError")),
        outcome(exception="shop.tasks.TestError", message="no order at <object at 0x7f1234567890>"),
        failure(task="shop.tasks.test_order", exception="shop.tasks.TestError"),
    ),
    "not importable exception": (
        literals("sum", "[1, 2]"),
        outcome(exception="elsewhere.Far", message="it is far"),
        failure(task="sum", exception="elsewhere.Far", revision=""),
    ),
    "fails otherwise": (
        literals("divide", "10", "'x'", exception=ZERO),
        outcome(exception="TypeError", message="unsupported operand type(s) for /: 'int' and 'str'"), failure(),
    ),
    "fails otherwise, of the project": (
        literals("find", "7", exception=ZERO),
        outcome(exception="shop.tasks.OrderError", message="no order (number 7)"), failure(),
    ),
    "not bound, ignored": (literals("skip"), outcome(state="IGNORED", exception=None, message=""), failure()),
    "not an attribute": (
        literals(None, "0", exception=ZERO, task="hidden.task"), FAILED, failure(task="hidden.task"),
    ),
    "passes": (literals("divide", "10", "4"), outcome(state="SUCCESS", result_literal="2.5"), failure()),
    "passes with None": (literals("echo", "None"), outcome(state="SUCCESS", result_literal="None"), failure()),
    "passes with True": (literals("echo", "True"), outcome(state="SUCCESS", result_literal="True"), failure()),
    "passes with much": (literals("echo", LONG), outcome(state="SUCCESS", result_literal=LONG), failure()),
    "passes with a long text": (
        literals("echo", repr("x" * 74)), outcome(state="SUCCESS", result_literal=repr("x" * 74)), failure(),
    ),
    "passes with Decimal": (
        literals("echo", "Decimal('2.5')", imports=["from decimal import Decimal", "import datetime"]),
        outcome(state="SUCCESS", result="Decimal('2.5')", result_literal="Decimal('2.5')"),
        failure(),
    ),
    "passes with an UUID": (
        literals("echo", f"UUID('{UUID(int=5)}')"),
        outcome(state="SUCCESS", result_literal=f"UUID('{UUID(int=5)}')"), failure(),
    ),
    "passes with an enum": (
        literals("echo", "1"), outcome(state="SUCCESS", result="<Kind.ONE>", result_literal="Kind.ONE"), failure(),
    ),
    "passes with no literal": (
        literals("echo", "[1]"), outcome(state="SUCCESS", result="<Report\n at 0x7f12>" * 20), failure(),
    ),
    "passes with nan": (
        literals("echo", "float('nan')"), outcome(state="SUCCESS", result_literal="float('nan')"), failure(),
    ),
    "bound": (literals("bound", "10", bound=True, kwargs={"y": "0"}, exception=ZERO), FAILED, failure()),
    "bound at its third try": (
        literals("bound", "10", bound=True), outcome(state="SUCCESS", result_literal="'third time'"),
        failure(retries=2),
    ),
    "bound, ignored": (literals("ignored", bound=True), outcome(state="IGNORED"), failure()),
}  # fmt: skip


@pytest.fixture(scope="module")
def written(project: Path) -> dict[str, Path]:
    """All of these as files."""
    paths = {name: project / f"test_{name.replace(' ', '_').replace(',', '')}.py" for name in WRITTEN}
    for name, (given, now, then) in WRITTEN.items():
        write_test(given, now, then, paths[name], with_secrets=True)
    return paths


def run(project: Path, *args: str) -> tuple[int, str]:
    env = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *args]
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_they_pass(project: Path, written: dict[str, Path]) -> None:
    code, text = run(project, "--rootdir", str(project))

    assert code == 0, text
    assert f"{len(WRITTEN)} passed" in text


def test_they_fail_once_the_task_does_something_else(project: Path, written: dict[str, Path]) -> None:
    tasks = project / "shop" / "tasks.py"
    changed = re.sub(r'"third time"|value$|1 / value', "'other'", TASKS, flags=re.M)
    changed = changed.replace("x / y", "None").replace("raise", "return")
    try:
        tasks.write_text(changed)
        code, text = run(project, "--rootdir", str(project), "--tb=line")
    finally:
        tasks.write_text(TASKS)

    passed = {
        "passes with no literal",
        "passes with nan",
        "passes with an enum",
    }  # all that these can say is that there is a result
    assert code == 1
    assert f"{len(WRITTEN) - len(passed)} failed, {len(passed)} passed" in text, text


def test_they_pass_review(project: Path, written: dict[str, Path]) -> None:
    for command in ("format", "--check", "--diff"), ("check",), ("check", "--select", "I,F,E4,E7,E9,PT,W"):
        options = ["--isolated", "--config", "src=['.']"] if command[0] == "check" else ["--isolated"]
        done = subprocess.run(
            [RUFF, *command, *options, *written.values()], cwd=project, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_one_looks_like(project: Path, written: dict[str, Path]) -> None:
    assert (
        written["raises"].read_text()
        == f'''"""shop.tasks.divide as it failed once.

Task {ID} failed on 2023-11-14 22:13:20 UTC with
ZeroDivisionError: division by zero
The code was git revision abc1234-dirty.
"""

import pytest

from shop.tasks import divide


def test_divide_zero_division_error() -> None:
    # Once it is mended, without pytest.raises: assert … == the right result
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        divide(10, 0)
'''
    )


def test_secrets_are_spoken_of() -> None:
    text = source(
        literals("find", "'me'", "'hunter2'", kwargs={"options": "{'api_key': 'x'}", "token": "'***'"}, exception=ZERO),
        FAILED,
        failure(names=("user", "password"), limits=("masked when it was saved: token",)),
    )

    assert "# These arguments were masked, put made-up ones in their place: token\n" in text
    assert "# These are as they arrived, put made-up ones in their place: password, options\n" in text


@pytest.mark.parametrize("there", ["test_x.py", "folder"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / "test_x.py").write_text("mine")
    (tmp_path / "folder.py").mkdir()

    for name in ("test_x.py", "folder.py", "none/test_x.py", "case.json"):
        with pytest.raises(UsageError):
            write_test(
                literals("divide", "1", "0", exception=ZERO), FAILED, failure(), tmp_path / name, with_secrets=False
            )

    assert (tmp_path / "test_x.py").read_text() == "mine"
    assert not (tmp_path / "case.json").exists()


@pytest.mark.parametrize(
    ("arg", "now", "says"),
    [
        ("'" + "x" * 200_000 + "'", FAILED, "no test to read"),
        ("[" * 500 + "]" * 500, FAILED, "nested too deep"),
        ("1", outcome(exception="billiard.exceptions.TimeLimitExceeded"), "would wait as long"),
        ("1", outcome(exception="billiard.exceptions.WorkerLostError"), "end pytest itself"),
    ],
)
def test_what_is_no_test(arg: str, now: Outcome, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        source(literals("divide", arg), now, failure())


def test_secrets_are_written_only_when_asked_for(tmp_path: Path) -> None:
    given, path = literals("divide", "1", kwargs={"password": "'hunter2'"}), tmp_path / "test_x.py"

    with pytest.raises(UsageError, match="password"):
        write_test(given, FAILED, failure(), path, with_secrets=False)
    assert not path.exists()

    write_test(given, FAILED, failure(), path, with_secrets=True)
    assert "hunter2" in path.read_text()


def hostile(chance: random.Random) -> str:
    """A text for any place."""
    if chance.random() < 0.2:
        return chance.choice(BROKEN)
    text = RUNS
    for _ in range(chance.randint(1, 2)):
        text = chance.choice(AROUND).replace("{}", text)
    return chance.choice(["", "shop.", "celery.exceptions.", "celery.exceptions.Ignore"]) + text


def some(chance: random.Random, usual: Any) -> Any:
    """The usual value, or a hostile text in its place."""
    return hostile(chance) if chance.random() < 0.15 else usual


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A shop's modules, in which each name is there; what has run that is to run nowhere."""
    found: list[str] = []
    monkeypatch.setattr(builtins, "evil", lambda: found.append("evil"), raising=False)
    for name in ("shop", "shop.app", "shop.tasks"):
        module = MagicMock(name=name, __path__=[])
        monkeypatch.setitem(sys.modules, name, module)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_nothing_from_elsewhere_becomes_code(ran: list[str], seed: int) -> None:
    chance, written = random.Random(seed), 0  # noqa: S311 - the same each time
    for _ in range(150):
        given = {
            "module": some(chance, "shop.tasks"),
            "name": some(chance, chance.choice(["divide", None])),
            "app": [some(chance, "shop.app"), some(chance, "app")],
            "task": some(chance, "shop.tasks.divide"),
            "bound": chance.random() < 0.3,
            "args": [some(chance, code) for code in ("10", "Decimal('1')", "{'a': [-1, None]}")],
            "kwargs": {some(chance, "y"): some(chance, "datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)")},
            "imports": [some(chance, "import datetime"), some(chance, "from decimal import Decimal")],
            "exception": {"module": some(chance, "builtins"), "name": some(chance, "ZeroDivisionError")},
        }
        name = f"{given['exception']['module']}.{given['exception']['name']}"
        now = outcome(
            state=chance.choice(["FAILURE", "SUCCESS", "IGNORED", "REJECTED"]),
            exception=some(chance, chance.choice([name, "shop.tasks.Far", "celery.exceptions.Reject"])),
            message=some(chance, "division by zero"),
            result=some(chance, "2.5"),
            result_literal=some(chance, "2.5"),
        )
        then = failure(
            id=some(chance, ID),
            task=some(chance, "shop.tasks.divide"),
            exception=some(chance, "ZeroDivisionError"),
            message=some(chance, "division by zero"),
            revision=some(chance, "abc1234"),
            names=(some(chance, "x"),),
            limits=(f"masked when it was saved: {some(chance, 'token')}",),
            frames=(frame(module=some(chance, "shop.tasks"), function=some(chance, "divide")),),
        )
        try:
            text = source(cast("CallSource", given), now, then)
        except UsageError:
            continue
        written += 1
        tree = ast.parse(text)
        docstring, *imports, test = tree.body
        assert isinstance(docstring, ast.Expr), text
        assert isinstance(test, ast.FunctionDef), text
        assert all(isinstance(line, ast.Import | ast.ImportFrom) for line in imports), text
        for node in ast.walk(tree):
            assert "evil" not in (getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "name", "")), text
        text.encode()
        code = compile(tree, "test", "exec")
        with suppress(BaseException):  # of what it imports not all is there
            names: dict[str, Any] = {}
            exec(code, names)  # noqa: S102
            names[test.name]()
        assert not ran, text
    assert written > 10


@pytest.mark.parametrize(
    "added",
    [
        "\nevil()\n", "\n\n@evil\ndef test_more() -> None:\n    pass\n", "    evil()\n", "    divide(evil)\n",
        "    import os\n", "    divide(lambda: 1)\n", "    divide(f'{1}')\n", "    divide.delay()\n",
        "    for x in ():\n        pass\n", "    divide.x = 1\n", "    pass\n    return\n",
    ],
)  # fmt: skip
def test_a_file_that_does_more_is_found_out(added: str) -> None:
    given = literals("divide", "10", "0", exception=ZERO)
    text = source(given, FAILED, failure())
    names, calls = {"divide", "pytest", "ZeroDivisionError"}, {"divide", "pytest.raises"}

    assert is_test(text, names, calls)
    assert not is_test(text + added, names, calls)
