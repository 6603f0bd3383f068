"""`devkit replay --save`, saved cases without any Redis, the tests that `--to-test` writes, and `git bisect`."""

import ast
import json
import re
from pathlib import Path

import pytest

from tests.acceptance.harness import DEVKIT, PYTHON, Done, Json, Project
from tests.acceptance.replaying import PROGRAM, Failing


@pytest.fixture
def alone(empty: Project) -> Project:
    """The project's code, and nothing else: no Redis, no worker."""
    empty.write({"tasks.py": PROGRAM})
    return empty


def saved(failed: Failing, project: Project, task_id: str, *options: str) -> Json:
    """Save a case there, and return what is in the file."""
    path = project.root / "case.json"
    failed.replay(task_id, "--save", str(path), *options).expect(0)
    document: Json = json.loads(path.read_text())
    return document


def pytest_of(project: Project, *files: str) -> Done:
    return project.run(PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *files)


def test_a_case_is_replayed_without_redis(failed: Failing, alone: Project) -> None:
    case = saved(failed, alone, "changes-1")

    assert (case["devkit_case"], case["args"], case["kwargs"]) == (1, [[1, 2], {}], {"password": "***"})
    assert "hunter22" not in (alone.root / "case.json").read_text()
    gone = alone.devkit("replay", "gone.json", "--json").expect(125).json()
    assert (gone["verdict"], gone["id"], gone["task"]) == ("cannot replay", "gone.json", None)
    done = alone.devkit("replay", "case.json").expect(1)
    assert "arguments: masked when it was saved: password\n" in done.err
    assert "same failure: ValueError in changes: they were [1, 2]" in done.out
    assert alone.devkit("replay", "case.json", "--json").expect(1).json()["id"] == "changes-1"


def test_a_case_with_secrets(failed: Failing, alone: Project) -> None:
    assert saved(failed, alone, "changes-1", "--with-secrets")["kwargs"] == {"password": "hunter22"}
    assert "masked" not in alone.devkit("replay", "case.json").expect(1).err


def test_saving_runs_nothing_and_overwrites_nothing_else(failed: Failing, alone: Project) -> None:
    path = alone.root / "case.json"
    before = failed.stored()
    first = failed.replay("hangs-1", "--save", str(path)).expect(0)
    assert first.out == ""
    assert first.err == f"{path} is written; replay it: devkit replay '{path}'\n"
    failed.replay("hangs-1", "--save", str(path)).expect(0)
    assert "no case of this task" in failed.replay("other-1", "--save", str(path)).expect(2).err
    assert "no case of this task" in failed.replay("other-1", "--save", str(alone.root / "tasks.py")).expect(2).err
    assert failed.replay("other-1", "--save", str(alone.root / "no folder" / "case.json")).code == 2
    assert failed.stored() == before
    assert json.loads(path.read_text())["id"] == "hangs-1"


@pytest.mark.parametrize("task_id", ["typed-1", "backwards-1"])
def test_cases_of_all_kinds(failed: Failing, alone: Project, task_id: str) -> None:
    secret = ["--with-secrets"] if task_id == "backwards-1" else []
    case = saved(failed, alone, task_id, *secret)
    assert ("body" in case) is (task_id == "backwards-1")
    assert "same failure" in alone.devkit("replay", "case.json").expect(1).out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(None, "there is no file case.json", id="missing"),
        pytest.param("", "it is empty", id="empty"),
        pytest.param("what?", "it is no JSON: line 1, column 1", id="no JSON"),
        pytest.param('{"devkit_case": 1, "task": "tasks.di', "it is cut short", id="cut short"),
        pytest.param('{"devkit_case": 9}', "it is a case of version 9: a newer devkit wrote it", id="later"),
        pytest.param('{"devkit_case": 1}', "it is not whole", id="nothing in it"),
        pytest.param('{"name": "npm"}', "it is no saved case", id="another program's"),
        pytest.param("[]", "it is no saved case", id="a list"),
        pytest.param("\0\xff", "it is no", id="binary"),
    ],
)
def test_files_that_are_no_cases(alone: Project, text: str | None, why: str) -> None:
    if text is not None:
        alone.write({"case.json": text})
    done = alone.devkit("replay", "case.json").expect(125)
    assert done.out.startswith("cannot replay: ")
    assert why in done.out


def test_the_written_test_fails_as_the_task_does_and_then_passes(failed: Failing, alone: Project) -> None:
    saved(failed, alone, "divide-1")
    written = alone.devkit("replay", "case.json", "--to-test", "test_divide.py").expect(1)
    assert "test_divide.py is written; run it: python -m pytest test_divide.py\n" in written.err
    assert "same failure" in written.out
    pytest_of(alone, "test_divide.py").expect(0)

    alone.write({"tasks.py": PROGRAM.replace("return x / y", "return x / y if y else None")})
    assert "DID NOT RAISE" in pytest_of(alone, "test_divide.py").expect(1).out
    alone.devkit("replay", "case.json", "--to-test", "test_mended.py").expect(0)
    assert "assert divide(1, y=0) is None\n" in (alone.root / "test_mended.py").read_text()
    pytest_of(alone, "test_mended.py").expect(0)
    alone.write({"tasks.py": PROGRAM})
    assert "ZeroDivisionError" in pytest_of(alone, "test_mended.py").expect(1).out
    assert "is there already" in alone.devkit("replay", "case.json", "--to-test", "test_divide.py").expect(2).err


def test_written_tests_of_all_kinds(failed: Failing, alone: Project) -> None:
    ids = ["typed-1", "order-1", "order-2", "request-2", "two-1", "changes-1"]
    files = []
    for task_id in ids:
        saved(failed, alone, task_id, "--with-secrets")
        (alone.root / "case.json").rename(alone.root / f"{task_id}.json")
        files.append(f"test_{task_id.replace('-', '_')}.py")
        written = alone.devkit("replay", f"{task_id}.json", "--to-test", files[-1])
        if task_id == "changes-1":
            assert "secret by its name would stand in the test: password" in written.expect(2).err
            written = alone.devkit("replay", f"{task_id}.json", "--to-test", files[-1], "--with-secrets")
        written.expect(1)
    # Called by itself a task finds other ids in its request.
    pytest_of(alone, *(file for file in files if file != "test_request_2.py")).expect(0)
    ruff = str(Path(PYTHON).with_name("ruff"))
    alone.run(ruff, "check", "--isolated", "--select", "E,F,I,UP,B", "--ignore", "UP017", *files).expect(0)
    alone.run(ruff, "format", "--isolated", "--check", *files).expect(0)


@pytest.mark.parametrize(
    ("task_id", "why"),
    [
        ("killed-1", "it still ends with WorkerLostError"),
        ("hard-1", "it still ends with TimeLimitExceeded"),
        ("large-1", "4,000,002 characters of code"),
    ],
)
def test_no_test_is_written_of_these(failed: Failing, alone: Project, task_id: str, why: str) -> None:
    done = failed.replay(task_id, "--to-test", str(alone.root / "test_it.py")).expect(2)
    assert why in done.err
    assert "--save" in done.err
    assert not (alone.root / "test_it.py").exists()


def test_arguments_that_are_no_literals(failed: Failing, alone: Project) -> None:
    """A serializer of the project's makes objects of its own."""
    objects = PROGRAM.replace("lambda text: json.loads(text[::-1])", "lambda text: [[object(), 0], {}, {}]")
    assert objects != PROGRAM
    alone.write({"tasks.py": objects})
    saved(failed, alone, "backwards-1", "--with-secrets")
    done = alone.devkit("replay", "case.json", "--to-test", "test_it.py").expect(2)
    assert "x of tasks.divide cannot be written into a test: it has object" in done.err
    assert not (alone.root / "test_it.py").exists()


RAISES = """from celery import Celery

app = Celery("tasks")


@app.task
def again(task_id, **more):
    raise app.AsyncResult(task_id).result or KeyError(task_id)
"""
RUNS = """(getattr(__import__("os"),"mkdir")("ran"))"""
QUOTES = f'"""\n{RUNS}\n"""\r{RUNS}\u2028{RUNS}\0\ud800\\'
STORED = (
    "from tasks import *; app.conf.update(task_always_eager=True, task_store_eager_result=True, result_extended=True)"
)


def stored(project: Project, call: str) -> None:
    """Run that call of a task, and have Celery store its result in a file."""
    (project.root / "results").mkdir()
    project.environ |= {"CELERY_BROKER_URL": "memory://", "CELERY_RESULT_BACKEND": f"file://{project.root}/results"}
    project.run(PYTHON, "-B", "-c", f"{STORED}; {call}").expect(0)


def names_in(path: Path) -> set[str]:
    """All that the code in a file refers to by a name."""
    tree = ast.parse(path.read_text())
    return {str(getattr(node, key)) for node in ast.walk(tree) for key in ("id", "attr", "name") if hasattr(node, key)}


@pytest.mark.parametrize("exc_type", [f"Ignore\n{RUNS}", f"Ignore as x\n{RUNS}", f"Ignore, *{RUNS}", QUOTES, "class"])
def test_what_a_stored_result_says_is_never_code(empty: Project, exc_type: str) -> None:
    empty.write({"tasks.py": RAISES})
    stored(empty, "again.apply_async(('other-1',), task_id='again-1')")
    raised = {"exc_type": exc_type, "exc_message": [QUOTES], "exc_module": "celery.exceptions"}
    result = {"task_id": "other-1", "status": "FAILURE", "result": raised, "traceback": QUOTES, "children": []}
    (empty.root / "results" / "celery-task-meta-other-1").write_text(json.dumps(result))

    empty.devkit("replay", "again-1", "--to-test", "test_it.py").expect(1)

    assert not names_in(empty.root / "test_it.py") & {"getattr", "__import__"}
    pytest_of(empty, "test_it.py")
    assert not (empty.root / "ran").exists()


@pytest.mark.parametrize("field", ["exception", "message", "id", "revision", "worker", "traceback", "kwargs", "frames"])
def test_what_a_case_says_is_never_code(empty: Project, field: str) -> None:
    empty.write({"tasks.py": RAISES})
    stored(empty, "again.apply_async(('other-1',), {'when': 'now'}, task_id='again-1')")
    empty.devkit("replay", "again-1", "--save", "case.json").expect(0)
    case = json.loads((empty.root / "case.json").read_text())
    match field:
        case "traceback":
            case[field] = [QUOTES]
        case "kwargs":
            case[field] = {QUOTES: QUOTES, "class": RUNS}
        case "frames":
            frame = {"file": QUOTES, "line": 1, "function": QUOTES, "module": QUOTES, "source": QUOTES, "own": True}
            case[field] = [{**frame, "locals": {QUOTES: QUOTES}}]
        case _:
            case[field] = QUOTES
    (empty.root / "case.json").write_text(json.dumps(case))

    empty.devkit("replay", "case.json", "--to-test", "test_it.py").expect(1)

    assert not names_in(empty.root / "test_it.py") & {"getattr", "__import__"}
    pytest_of(empty, "test_it.py")
    assert not (empty.root / "ran").exists()


SHOP = """from celery import Celery

app = Celery("tasks")


{}
"""
PRICE = "@app.task\ndef price(amount, per):\n    {}\n    return amount / per\n"
HISTORY = (
    ("it works", PRICE.format("per = per or 1")),
    ("a comment", "# Prices.\n" + PRICE.format("per = per or 1")),
    ("does not import", "import no_such_module\n" + PRICE.format("per = per or 1")),
    ("the task has another name", PRICE.format("per = per or 1").replace("def price", "def cost")),
    ("back again", PRICE.format("per = per or 1")),
    ("it breaks", PRICE.format("amount = amount * 2")),
    ("it fails otherwise", PRICE.format("raise KeyError(amount)")),
    ("another app", PRICE.format("amount = 2 * amount").replace("app", "shop")),
    ("as it is", PRICE.format("amount = 2 * amount")),
)


def test_bisecting(empty: Project) -> None:
    def git(*arguments: str) -> Done:
        return empty.run("git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments).expect(0)

    git("init", "-q", "-b", "main")
    for message, code in HISTORY:
        empty.write({"tasks.py": SHOP.format(code)})
        if message == "another app":
            empty.write({"tasks.py": SHOP.replace("app", "shop").format(code)})
        git("add", "tasks.py")
        git("commit", "-q", "-m", message)
    # The failure, as a worker would have recorded it: here by what eager Celery stores.
    stored(empty, "price.apply_async((10, 0), task_id='price-1')")
    empty.devkit("replay", "price-1", "--save", "case.json").expect(0)
    empty.devkit("replay", "case.json", "--same").expect(1)

    git("bisect", "start", "HEAD", "HEAD~8")
    done = empty.run("git", "bisect", "run", DEVKIT, "replay", "case.json", "--same")

    found = done.expect(0).out
    assert re.search(r"is the first bad commit\n(?:.*\n)*?\s+it breaks\n", found), found
    for number, why in ((2, "no_such_module"), (3, "no task tasks.price"), (6, "now KeyError in price")):
        git("checkout", "-q", f"main~{len(HISTORY) - 1 - number}")
        assert why in empty.devkit("replay", "case.json", "--same").expect(125).out
