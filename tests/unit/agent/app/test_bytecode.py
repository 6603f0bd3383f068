"""Two saves of the same length within one second: Python would run the old code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

IMPORT = "import shop; print(shop.ANSWER)"
DISTRUST = "from devkit.agent.app.bytecode import distrust_recent; distrust_recent(); "
LONG_AGO = 1_600_000_000


def run(code: str, folder: Path) -> str:
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True, cwd="/"
    ).stdout.strip()


def cache(folder: Path) -> Path:
    return next((folder / "__pycache__").glob("shop.*.pyc"))


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """A folder with a module that was imported, and edited so quickly that its cache looks fresh."""
    module = tmp_path / "shop.py"
    module.write_text("ANSWER = 1\n")
    before = module.stat()
    assert run(IMPORT, tmp_path) == "1"
    assert cache(tmp_path).exists()
    module.write_text("ANSWER = 2\n")
    os.utime(module, ns=(before.st_atime_ns, before.st_mtime_ns))
    return tmp_path


def test_the_trap_is_real(edited: Path) -> None:
    assert run(IMPORT, edited) == "1"


def test_the_new_code_is_run(edited: Path) -> None:
    assert run(DISTRUST + IMPORT, edited) == "2"


def test_the_cache_is_right_from_then_on(edited: Path) -> None:
    run(DISTRUST + IMPORT, edited)

    assert run(IMPORT, edited) == "2"


def test_a_cache_that_was_written_long_after_the_last_change_is_used(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("ANSWER = 1\n")
    run(IMPORT, tmp_path)
    pyc = cache(tmp_path)
    now = (tmp_path / "shop.py").stat().st_ctime_ns
    os.utime(pyc, ns=(now + 10**10, now + 10**10))
    written = pyc.stat().st_ino

    assert run(DISTRUST + IMPORT, tmp_path) == "1"
    assert pyc.stat().st_ino == written


def test_a_time_that_was_set_back_deceives_nobody(tmp_path: Path) -> None:
    """As an unpacked archive or `cp -p` does it: only the time of the inode's change is true."""
    module = tmp_path / "shop.py"
    module.write_text("ANSWER = 1\n")
    os.utime(module, (LONG_AGO, LONG_AGO))
    run(IMPORT, tmp_path)
    module.write_text("ANSWER = 2\n")
    os.utime(module, (LONG_AGO, LONG_AGO))

    assert run(IMPORT, tmp_path) == "1"
    assert run(DISTRUST + IMPORT, tmp_path) == "2"


def test_modules_without_a_cache_are_imported(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("ANSWER = 1\n")

    assert run(DISTRUST + IMPORT, tmp_path) == "1"


def test_packages_modules_without_source_and_data_are_read_as_ever(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text(
        "import pkgutil; ANSWER = pkgutil.get_data('shop', 'answer.txt').decode(); from hidden import X; ANSWER += X"
    )
    (tmp_path / "shop" / "answer.txt").write_text("12")
    (tmp_path / "hidden.py").write_text("X = '3'")
    subprocess.run([sys.executable, "-m", "compileall", "-b", "-q", str(tmp_path / "hidden.py")], check=True)
    (tmp_path / "hidden.py").unlink()

    assert run(DISTRUST + IMPORT, tmp_path) == "123"
