"""Where a file that was named in a container is here."""

from dataclasses import replace
from pathlib import Path

import pytest

from devkit.model.place import brought_here, here, moved
from tests.unit.replay.failures import failure, frame


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A project with a package, and with another one, a folder down, that has a file of its own."""
    root = tmp_path / "my shop"
    for name in ("shop/tasks.py", "shop/sub/deep.py", "main.py", "backend/app/models.py", "one/same.py", "two/same.py"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return str(root)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/app/shop/tasks.py", "shop/tasks.py"),
        ("/usr/src/app/shop/sub/deep.py", "shop/sub/deep.py"),
        ("/app/main.py", "main.py"),
        ("/code/models.py", None),  # two folders down: nothing says that it is that one
        ("/code/app/models.py", "backend/app/models.py"),
        ("/app/same.py", None),  # of two
        ("/app/one/same.py", "one/same.py"),
        ("/app/shop/gone.py", None),
        ("/usr/local/lib/python3.13/site-packages/shop/tasks.py", None),
        ("/usr/local/lib/python3.13/main.py", None),
        ("<string>", None),
        ("main.py", None),
    ],
)
def test_the_longest_end_counts(root: str, path: str, name: str | None) -> None:
    assert here(path, root) == (f"{root}/{name}" if name else path)


def test_a_file_that_is_here_stays_where_it_is(root: str, tmp_path: Path) -> None:
    other = tmp_path / "other" / "main.py"
    other.parent.mkdir()
    other.touch()

    assert here(str(other), root) == str(other)
    assert here("/app/main.py", str(tmp_path / "nowhere")) == "/app/main.py"


def test_a_failure_has_the_paths_of_here_and_says_what_it_said(root: str) -> None:
    text = (
        'Traceback:\n  File "/app/shop/tasks.py", line 3, in divide\n    open("/app/main.py")\nOSError: /app/main.py\n'
    )
    there = failure(frames=(frame(file="/app/shop/tasks.py"), frame(file="/x/lib/y.py", own=False)), traceback=text)

    found = brought_here(there, root)

    assert [one.file for one in found.frames] == [f"{root}/shop/tasks.py", "/x/lib/y.py"]
    assert found.traceback == text.replace('File "/app', f'File "{root}')
    assert replace(found, frames=there.frames, traceback=text) == there


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no '/app/data/x'", "no '/home/ann/it/data/x'"),
        ("/app/a,/app/b", "/home/ann/it/a,/home/ann/it/b"),
        ("http://host/app/x", None),
        ("/apps/x /tmp/app/y ~/app/x", None),
    ],
)
def test_a_path_moves_with_the_projects_folder(text: str, expected: str | None) -> None:
    assert moved(text, "/app/shop/tasks.py", "/home/ann/it/shop/tasks.py") == (expected or text)


def test_two_different_files_tell_nothing() -> None:
    assert moved("/app/x", "/app/tasks.py", "/home/sums.py") == "/app/x"
    assert moved("/app/x", "/app/tasks.py", "/app/tasks.py") == "/app/x"
