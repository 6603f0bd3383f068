"""Which modules are imported ahead: what is learned, and what is left out."""

import json
import os
import subprocess
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devkit.agent.fork import preload
from devkit.agent.fork.preload import Preload, installed_folders, is_own, threads

# Imports ahead what is learned, in a process that has nothing else to do; tells why it could not fork any more.
DRIVER = """
import json, os, sys
from devkit.agent.fork import preload
learned, never = sys.argv[1:]
ahead = preload.Preload(learned, frozenset(never.split(",")))
unfit = {}
while missing := ahead.missing():
    if why := ahead.load(missing[0]):
        unfit[missing[0]] = why
ahead.done()
print(json.dumps({"unfit": unfit, "imported": sorted(sys.modules.keys() & set(sys.stdin.read().split(",")))}))
"""

SOUND = "X = 1"
THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
SOCKET = "import socket; kept = socket.socket()"
FAILS = "raise RuntimeError('not without the settings')"
EXITS = "raise SystemExit(3)"
VANISHES = "import sys; del sys.modules[__name__]"
OWN = "import shop"


@dataclass
class Machine:
    """A folder of installed packages, one of the project's own code, and the file of what was learned."""

    installed: Path
    project: Path
    learned: Path

    def write(self, **modules: str) -> None:
        """Install modules; a name with an underscore is that of a module in a package."""
        for name, source in modules.items():
            path = self.installed / f"{name.replace('_', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)

    def package(self, name: str, source: str = "") -> None:
        """Install a package."""
        (self.installed / name).mkdir()
        (self.installed / name / "__init__.py").write_text(source)

    def knows(self, *modules: str, left_out: Mapping[str, str] | None = None) -> None:
        self.learned.write_text(json.dumps({"modules": modules, "left_out": left_out or {}}))

    def load(self, *, never: str = "") -> dict[str, Any]:
        """Import ahead what is known, in a new process."""
        known = json.loads(self.learned.read_text())["modules"]
        path = os.pathsep.join(map(str, (self.installed, self.project)))
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, str(self.learned), never],
            env={**os.environ, "PYTHONPATH": path},
            input=",".join(known),
            capture_output=True,
            text=True,
            check=True,
            cwd=self.project,
        )
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    @property
    def left_out(self) -> dict[str, str]:
        kept: dict[str, str] = json.loads(self.learned.read_text())["left_out"]
        return kept


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "site-packages", tmp_path / "project", tmp_path / "worker.json")
    machine.installed.mkdir()
    machine.project.mkdir()
    (machine.project / "shop.py").write_text("")
    return machine


# --- what is imported ahead ---


def test_what_is_known_is_imported_in_its_order(machine: Machine) -> None:
    machine.package("pkg")
    machine.write(one=SOUND, two="import one", pkg_part=SOUND)
    machine.knows("one", "two", "pkg.part")

    assert machine.load() == {"unfit": {}, "imported": ["one", "pkg.part", "two"]}
    assert machine.left_out == {}


def test_a_module_that_cannot_be_imported_is_left_out_and_does_no_harm(machine: Machine) -> None:
    machine.write(one=FAILS, two=EXITS, three=SOUND, four=VANISHES)
    machine.knows("one", "absent", "two", "four", "three")

    assert machine.load() == {"unfit": {}, "imported": ["three"]}
    assert machine.left_out == {
        "one": "RuntimeError: not without the settings",
        "absent": "ModuleNotFoundError: No module named 'absent'",
        "two": "SystemExit: 3",
        "four": "KeyError: 'four'",
    }


@pytest.mark.parametrize(
    ("source", "why"), [(THREAD, "it starts a thread"), (SOCKET, "it opens a socket"), (OWN, "it imports shop")]
)
def test_a_module_that_makes_a_process_unfit_to_fork_is_left_out_and_told(
    machine: Machine, source: str, why: str
) -> None:
    machine.write(one=source, two=SOUND)
    machine.knows("one", "two")

    assert machine.load()["unfit"] == {"one": why}
    assert machine.left_out == {"one": why}
    assert machine.load() == {"unfit": {}, "imported": ["two"]}


def test_a_module_that_fails_after_it_started_a_thread_is_unfit_too(machine: Machine) -> None:
    machine.write(one=f"{THREAD}\n{FAILS}")
    machine.knows("one")

    assert machine.load()["unfit"] == {"one": "it starts a thread"}


def test_only_the_module_that_does_it_is_left_out(machine: Machine) -> None:
    machine.package("pkg")
    machine.write(pkg_good=SOUND, pkg_bad=THREAD)
    machine.knows("pkg", "pkg.bad", "pkg.good")

    machine.load()

    assert machine.left_out == {"pkg.bad": "it starts a thread"}
    assert machine.load()["imported"] == ["pkg", "pkg.good"]


def test_what_is_in_a_package_that_is_left_out_is_left_out_too(machine: Machine) -> None:
    machine.package("pkg", FAILS)
    machine.write(pkg_part=SOUND, pkgs=SOUND)
    machine.knows("pkg", "pkg.part", "pkgs")

    assert machine.load() == {"unfit": {}, "imported": ["pkgs"]}
    assert machine.left_out.keys() == {"pkg"}


def test_what_the_user_names_is_never_imported_ahead(machine: Machine) -> None:
    machine.package("pkg")
    machine.write(pkg_part=SOUND, other=SOUND)
    machine.knows("pkg", "pkg.part", "other")

    assert machine.load(never="pkg,nothing") == {"unfit": {}, "imported": ["other"]}


def test_a_long_reason_is_cut(machine: Machine) -> None:
    machine.write(one="raise RuntimeError('x' * 5000)")
    machine.knows("one")

    machine.load()

    assert len(machine.left_out["one"]) == 200


def test_a_module_that_ends_the_process_is_left_out_the_next_time(machine: Machine) -> None:
    machine.write(one="import os; os._exit(3)", two=SOUND)
    machine.knows("one", "two")
    with pytest.raises(subprocess.CalledProcessError):
        machine.load()

    assert machine.load() == {"unfit": {}, "imported": ["two"]}


# --- what is learned ---


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> dict[str, types.ModuleType]:
    """What counts as imported."""
    modules: dict[str, types.ModuleType] = {}
    monkeypatch.setattr(sys, "modules", modules)
    return modules


def module(name: str, file: Path | str | None) -> types.ModuleType:
    made = types.ModuleType(name)
    made.__file__ = None if file is None else str(file)
    made.__spec__ = object()  # type: ignore[assignment]
    return made


def learn(machine: Machine, modules: dict[str, types.ModuleType], *imported: types.ModuleType, never: str = "") -> Any:
    ahead = Preload(str(machine.learned), frozenset([never]))
    modules.update({each.__name__: each for each in imported})
    ahead.learn()
    return json.loads(machine.learned.read_text()) if machine.learned.exists() else None


def test_what_the_project_imported_from_elsewhere_is_learned_in_its_order(
    machine: Machine, modules: dict[str, types.ModuleType]
) -> None:
    imported = [
        module("httpx", machine.installed / "httpx.py"),
        module("shop", machine.project / "shop.py"),
        module("builtin", None),
        module("anyio", machine.installed / "anyio.py"),
        module("frozen", "<frozen importlib>"),
    ]
    learned = learn(machine, modules, *imported)

    assert learned == {"modules": ["httpx", "builtin", "anyio", "frozen"], "left_out": {}}


def test_what_is_known_keeps_its_place_and_its_reasons(machine: Machine, modules: dict[str, types.ModuleType]) -> None:
    machine.knows("two", "one", left_out={"bad": "it starts a thread"})
    names = ("one", "bad", "bad.part", "three")
    learned = learn(machine, modules, *(module(name, machine.installed / f"{name}.py") for name in names))

    assert learned == {"modules": ["two", "one", "three"], "left_out": {"bad": "it starts a thread"}}


def test_main_what_has_no_spec_and_what_the_user_names_are_not_learned(
    machine: Machine, modules: dict[str, types.ModuleType]
) -> None:
    made_up = module("six.moves", machine.installed / "six.py")
    made_up.__spec__ = None
    names = ("__main__", "grpc", "grpc.aio")
    others = [module(name, machine.installed / f"{name}.py") for name in names]

    assert learn(machine, modules, made_up, *others, never="grpc") is None


def test_nothing_is_written_where_nothing_is_new(machine: Machine, modules: dict[str, types.ModuleType]) -> None:
    machine.knows("one")
    before = machine.learned.stat()
    learn(machine, modules, module("one", machine.installed / "one.py"))

    assert machine.learned.stat().st_mtime_ns == before.st_mtime_ns
    assert [*machine.learned.parent.glob("worker.json*")] == [machine.learned]


def test_what_another_process_learned_is_known_after_a_reload(machine: Machine) -> None:
    machine.knows()
    ahead = Preload(str(machine.learned), frozenset())
    machine.knows("no_such_module_a")
    assert ahead.missing() == []
    ahead.reload()

    assert ahead.missing() == ["no_such_module_a"]


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "null", '{"modules": ["a"]}', '{"modules": 1, "left_out": {}}', "\xff"]
)
def test_a_file_that_is_damaged_is_as_good_as_none(machine: Machine, text: str) -> None:
    machine.learned.write_bytes(text.encode("latin-1"))

    assert Preload(str(machine.learned), frozenset()).missing() == []


def test_a_file_that_cannot_be_written_costs_only_speed(machine: Machine) -> None:
    ahead = Preload(str(machine.learned.parent / "absent" / "worker.json"), frozenset())
    ahead.leave_out("one", "why")

    assert not (machine.learned.parent / "absent").exists()


def test_without_a_file_nothing_is_imported_ahead(machine: Machine, modules: dict[str, types.ModuleType]) -> None:
    assert Preload("", frozenset()).missing() == []


# --- whose code it is ---


def test_whose_code_a_module_is(machine: Machine) -> None:
    import celery
    import click

    assert not is_own(json)
    assert not is_own(sys)
    assert not is_own(celery)
    assert not is_own(click)
    assert not is_own(preload)
    assert is_own(module("shop", machine.project / "shop.py"))
    assert is_own(sys.modules[__name__])


def test_a_package_that_is_installed_by_a_link_is_not_the_projects(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(machine.project)
    machine.write(one=SOUND)
    (machine.project / "link").symlink_to(machine.installed)

    assert not is_own(module("one", machine.project / "link" / "one.py"))


def test_where_packages_are_installed() -> None:
    import click

    assert Path(click.__file__).parents[1] in map(Path, installed_folders())


def test_the_threads_of_this_process_are_counted() -> None:
    code = "from devkit.agent.fork.preload import threads; print(threads())"
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert alone == "1\n"
    assert threads() >= 1


def test_without_a_file_nothing_is_learned_and_nothing_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under pools that patch the standard library: their zygotes work in the project's folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".trying").write_text("somebody's own")
    ahead = preload.Preload("", frozenset())

    ahead.learn()
    ahead.done()

    assert ahead.missing() == []
    assert [path.name for path in tmp_path.iterdir()] == [".trying"]
