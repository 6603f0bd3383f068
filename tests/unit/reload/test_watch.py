"""Real files, real events: what is noticed, and how often."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from queue import SimpleQueue

import pytest

from devkit.reload import watch
from devkit.reload.tree import Watched
from devkit.reload.watch import Installed, Watcher, gives_no_events
from tests.unit.waiting import wait_for

MANY = 500


class Seen:
    """What a watcher told about a folder."""

    def __init__(self, root: Path, *, poll: bool) -> None:
        self.root = root
        self.calls: list[list[str]] = []
        self.times: list[float] = []
        self.ready: SimpleQueue[tuple[int, int, float]] = SimpleQueue()
        self.watcher = Watcher(
            Watched((root,), (root / ".env",), ("*.html",)),
            self._changed,
            lambda *told: self.ready.put(told),
            poll=poll,
        )
        self.size = self.ready.get(timeout=10)[:2]
        self.close = self.watcher.close
        self._fences = 0
        self.fence()  # now all that there was before is read

    def _changed(self, paths: list[Path], at: float) -> None:
        self.times.append(at)
        self.calls.append([str(path.relative_to(self.root)) for path in paths])

    @property
    def names(self) -> list[str]:
        """All that was told to have changed, apart from the fences."""
        return [name for call in self.calls for name in call if not name.startswith("fence")]

    def fence(self) -> None:
        """Make a change and wait until it is told: what happened before it is told by then, or never."""
        self._fences += 1
        name = f"fence{self._fences}.py"
        (self.root / name).write_text("")
        wait_for(lambda: any(name in call for call in self.calls))


Look = Callable[[], Seen]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "project"
    root.mkdir()
    return root


@pytest.fixture(params=["events", "polling"])
def look(request: pytest.FixtureRequest, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Look]:
    """Starts to watch, in both ways."""
    monkeypatch.setattr(watch, "POLL_S", 0.02)
    with ExitStack() as end:
        yield lambda: end.enter_context(closing(Seen(root, poll=request.param == "polling")))


@pytest.fixture
def look_for_events(root: Path) -> Iterator[Look]:
    """Starts to watch by the kernel's events."""
    with ExitStack() as end:
        yield lambda: end.enter_context(closing(Seen(root, poll=False)))


def write(*paths: Path, text: str = "x = 1\n") -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_it_tells_how_much_is_watched(root: Path, look: Look) -> None:
    write(root / "a.py", root / "pkg" / "b.py", root / "pkg" / "c.txt", root / ".git" / "d.py")

    assert look().size == (2, 2)


def test_a_save_is_told_with_its_time(root: Path, look: Look) -> None:
    write(root / "a.py")
    seen = look()
    before = time.monotonic()
    write(root / "a.py", text="y = 22\n")
    seen.fence()

    assert "a.py" in seen.names
    assert before <= seen.times[-1] <= time.monotonic()


def test_settings_and_what_matches_a_glob_are_told_too(root: Path, look: Look) -> None:
    seen = look()
    write(root / ".env", root / "pages" / "a.html", root / "b.txt")
    seen.fence()

    assert {*seen.names} == {".env", "pages/a.html"}


def test_a_save_by_renaming_is_one_change(root: Path, look: Look) -> None:
    write(root / "a.py")
    seen = look()
    write(root / ".a.py.tmp", text="y = 22\n")
    (root / ".a.py.tmp").replace(root / "a.py")
    seen.fence()

    assert seen.names == ["a.py"]


def test_a_save_beside_a_swap_file_is_a_change_of_that_file_only(root: Path, look_for_events: Look) -> None:
    """As vim does it: the old file is put aside, and removed when the new one is written."""
    write(root / "a.py")
    seen = look_for_events()
    write(root / ".a.py.swp")
    (root / "a.py").rename(root / "a.py~")
    write(root / "a.py", text="y = 22\n")
    (root / "a.py~").unlink()
    (root / ".a.py.swp").unlink()
    seen.fence()

    assert {*seen.names} == {"a.py"}


def test_a_file_that_is_half_written_is_not_shown_and_counts_once(root: Path, look_for_events: Look) -> None:
    write(root / "a.py")
    seen = look_for_events()
    with (root / "a.py").open("w") as file:
        seen.fence()
        file.write("y = ")
        file.flush()
        seen.fence()
        half = list(seen.names)
        file.write("2\n")
    seen.fence()

    assert half == []
    assert seen.names == ["a.py"]


def test_a_new_file_that_is_half_written_is_not_shown_either(root: Path, look_for_events: Look) -> None:
    seen = look_for_events()
    with (root / "a.py").open("w") as file:
        seen.fence()
        half = list(seen.names)
        file.write("y = 2\n")
    seen.fence()

    assert half == []
    assert seen.names == ["a.py"]


def test_the_same_bytes_a_touch_and_another_mode_are_no_change(root: Path, look: Look) -> None:
    write(root / "a.py", root / "b.py", root / "c.py")
    seen = look()
    (root / "a.py").touch()
    write(root / "d.txt", text="x = 1\n")
    (root / "d.txt").replace(root / "b.py")
    (root / "c.py").chmod(0o755)
    seen.fence()

    assert seen.names == []


def test_a_burst_of_files_is_few_calls_and_all_are_told(root: Path, look: Look) -> None:
    seen = look()
    before = len(seen.calls)
    files = [root / f"pkg{number % 10}" / f"m{number}.py" for number in range(MANY)]
    write(*files)
    wait_for(lambda: {*seen.names} >= {str(file.relative_to(root)) for file in files})

    assert len(seen.calls) - before <= MANY // 10


def test_new_folders_one_in_the_other_are_looked_into_at_once(root: Path, look: Look) -> None:
    seen = look()
    for name in ("a/b/c/d/one.py", "a/b/two.py", "e/three.py"):
        write(root / name)
    wait_for(lambda: {*seen.names} == {"a/b/c/d/one.py", "a/b/two.py", "e/three.py"})
    write(root / "a/b/c/d/one.py", text="y = 22\n")
    seen.fence()

    assert seen.names.count("a/b/c/d/one.py") >= 2


def test_a_folder_that_was_removed_and_came_back_is_watched(root: Path, look: Look) -> None:
    write(root / "pkg" / "a.py")
    seen = look()
    for text in ("y = 22\n", "z = 333\n"):
        shutil.rmtree(root / "pkg")
        write(root / "pkg" / "a.py", text=text)
        seen.fence()
        assert "pkg/a.py" in seen.names
        seen.calls.clear()
        write(root / "pkg" / "a.py", text=text * 2)
        wait_for(lambda: "pkg/a.py" in seen.names)
        seen.calls.clear()


def test_a_renamed_folder_is_watched(root: Path, look: Look) -> None:
    write(root / "old" / "deep" / "a.py")
    seen = look()
    (root / "old").rename(root / "new")
    wait_for(lambda: {*seen.names} == {"old/deep/a.py", "new/deep/a.py"})
    write(root / "new" / "deep" / "b.py")

    wait_for(lambda: "new/deep/b.py" in seen.names)


def test_a_removed_file_is_told(root: Path, look: Look) -> None:
    write(root / "a.py")
    seen = look()
    (root / "a.py").unlink()

    wait_for(lambda: seen.names == ["a.py"])


def test_a_linked_folder_is_watched(root: Path, tmp_path: Path, look_for_events: Look) -> None:
    write(tmp_path / "shared" / "a.py")
    seen = look_for_events()
    (root / "shared").symlink_to(tmp_path / "shared")
    wait_for(lambda: seen.names == ["shared/a.py"])
    write(tmp_path / "shared" / "a.py", text="y = 22\n")

    wait_for(lambda: seen.names == ["shared/a.py"] * 2)


def test_events_that_were_lost_are_made_up_for(root: Path, look_for_events: Look) -> None:
    write(root / "a.py")
    seen = look_for_events()
    seen.watcher._dirty.put(watch.EVERYWHERE)
    write(root / "a.py", root / "pkg" / "b.py", text="y = 22\n")
    seen.watcher._dirty.put(watch.EVERYWHERE)

    wait_for(lambda: {*seen.names} == {"a.py", "pkg/b.py"})


def test_ignored_folders_disturb_nobody(root: Path, look_for_events: Look) -> None:
    write(root / ".venv" / "a.py", root / "__pycache__" / "a.pyc")
    seen = look_for_events()
    write(root / ".venv" / "b.py", root / "__pycache__" / "b.pyc", root / "node_modules" / "c.py")
    seen.fence()

    assert seen.names == []


def test_closing_ends_the_threads(root: Path, look: Look) -> None:
    before = {*threading.enumerate()}
    seen = look()
    started = {*threading.enumerate()} - before
    seen.close()

    assert started
    wait_for(lambda: not any(thread.is_alive() for thread in started))


def test_nothing_is_told_after_closing(root: Path, look: Look) -> None:
    seen = look()
    seen.close()
    told = len(seen.calls)
    write(root / "a.py")
    wait_for(lambda: not seen.watcher._thread.is_alive())

    assert len(seen.calls) == told


def test_other_systems_have_watchdogs_observer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it only stands in for theirs, and is not up to new folders one in the other."""
    monkeypatch.setattr(watch, "events_into", watch._Observer)
    write(root / "a.py", root / "pkg" / "b.py", root / "pkg" / "c.py")
    with closing(Seen(root, poll=False)) as seen:
        write(root / "a.py", root / "pkg" / "b.py", text="y = 22\n")
        (root / "pkg" / "c.py").unlink()
        wait_for(lambda: {*seen.names} == {"a.py", "pkg/b.py", "pkg/c.py"})


# --- bursts ---


def test_a_burst_ends_when_nothing_follows() -> None:
    dirty: SimpleQueue[str] = SimpleQueue()
    for name in ("a", "b", "a"):
        dirty.put(name)

    assert watch._burst(dirty, 0.001)[0] == ["a", "b"]


def test_a_burst_that_does_not_end_is_cut() -> None:
    dirty: SimpleQueue[str] = SimpleQueue()
    for name in range(100):
        dirty.put(str(name))

    assert len(watch._burst(dirty, 0.001, longest=0)[0]) == 1
    assert dirty.qsize() == 99


# --- file systems without events ---

MOUNTS = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:26 / /srv rw - {kind} share rw
31 22 0:27 / /srv/local rw - xfs /dev/vdb rw
32 22 0:28 / /srv/my\\040project rw - {kind} share rw
33 22 0:29 / /twice rw - ext4 /dev/vdc rw
34 22 0:30 / /twice rw - {kind} share rw
"""


@pytest.mark.parametrize(
    ("folder", "silent"),
    [
        ("/home/me", False),
        ("/srv/app", True),
        ("/srv", True),
        ("/srvapp", False),
        ("/srv/local/app", False),
        ("/srv/my project/app", True),
        ("/twice/app", True),
    ],
)
@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "virtiofs", "9p", "vboxsf", "fakeowner", "drvfs"])
def test_shared_folders_give_no_events(folder: str, silent: bool, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda _: MOUNTS.format(kind=kind))

    assert gives_no_events(Path(folder)) is silent


def test_the_folders_of_these_tests_give_events(tmp_path: Path) -> None:
    assert not gives_no_events(tmp_path)


def test_without_a_list_of_mounts_events_are_believed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_text(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", read_text)

    assert not gives_no_events(Path("/srv"))


# --- what is installed ---


class Packages:
    """A site-packages folder, and what was told of it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.told: list[list[str]] = []
        looks: list[None] = []
        packages = watch._packages

        def look(folders: object) -> frozenset[tuple[str, int]]:
            try:
                return packages((folder,))
            finally:
                looks.append(None)

        monkeypatch.setattr(watch, "INSTALLED_QUIET_S", 0.02)
        monkeypatch.setattr(watch, "_packages", look)
        self.looks = looks
        Installed([folder], lambda names, at: self.told.append(names))
        wait_for(lambda: looks)

    def look(self) -> None:
        """Do what no package does, and wait until it was looked at."""
        known = len(self.looks)
        self.write(f"nothing{known}.txt")
        wait_for(lambda: len(self.looks) > known)

    def write(self, name: str) -> None:
        write(self.folder / name)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    write(tmp_path / "site-packages" / "old-1.0.dist-info" / "METADATA")
    return Packages(tmp_path / "site-packages", monkeypatch)


def test_a_package_that_is_installed_is_told(packages: Packages) -> None:
    packages.write("httpx/__init__.py")
    packages.write("httpx-0.27.dist-info/METADATA")

    wait_for(lambda: packages.told == [["httpx"]])


def test_a_package_that_is_replaced_or_removed_is_told(packages: Packages) -> None:
    (packages.folder / "old-1.0.dist-info").rename(packages.folder / "old-2.0.dist-info")
    wait_for(lambda: packages.told == [["old"]])
    shutil.rmtree(packages.folder / "old-2.0.dist-info")

    wait_for(lambda: packages.told == [["old"], ["old"]])


def test_what_an_editable_install_leaves_is_told(packages: Packages) -> None:
    packages.write("__editable__.shop-1.0.pth")

    wait_for(lambda: len(packages.told) == 1)


def test_bytecode_and_what_a_program_writes_there_are_no_packages(packages: Packages) -> None:
    packages.write("__pycache__/six.cpython-311.pyc")
    packages.write("cache.json")
    packages.look()

    assert packages.told == []


def test_folders_of_packages_that_are_not_there_are_none(tmp_path: Path) -> None:
    assert watch._packages([tmp_path / "absent"]) == frozenset()
    assert not (tmp_path / "absent").exists()
