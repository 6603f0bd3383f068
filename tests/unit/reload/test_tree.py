"""What a tree of real files holds, and what a look at it finds changed."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from devkit.reload.tree import IGNORED_FOLDERS, Tree, Watched


class Listener:
    """Records which folders are to be listened to; a folder may be named several times."""

    def __init__(self) -> None:
        self.folders: set[str] = set()
        self.heard: list[str] = []

    def add(self, folder: str) -> None:
        self.folders.add(folder)
        self.heard.append(folder)

    def remove(self, folder: str) -> None:
        self.folders.discard(folder)


class Project:
    """A folder, its tree and who listens to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listener = Listener()

    def write(self, *names: str, text: str = "x = 1\n") -> None:
        """Write files, and make the folders that they lie in."""
        for name in names:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def look(self, *globs: str, files: tuple[Path, ...] = ()) -> None:
        """See the files for the first time."""
        self.tree = Tree(Watched((self.root,), files, globs), self.listener)
        self.tree.read_all()

    def changes(self, *names: str) -> list[str]:
        """What changed at these paths, by name; without any: anywhere."""
        dirty = [os.path.join(self.root, name) for name in names]  # noqa: PTH118 - as events name it
        return self.names(self.tree.changes(dirty) if names else self.tree.all_changes())

    def names(self, paths: list[Path]) -> list[str]:
        return [str(path.relative_to(self.root) if path.is_relative_to(self.root) else path) for path in paths]

    def watched(self) -> list[str]:
        """The folders that are listened to."""
        return sorted(str(Path(folder).relative_to(self.root)) for folder in self.listener.folders)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path.resolve() / "project"
    root.mkdir()
    return Project(root)


# --- what is wanted ---


def test_python_files_are_wanted_and_no_others(project: Project) -> None:
    project.write("a.py", "b.txt", "pkg/c.py", "pkg/d.pyc", "pkg/data/e.json")
    project.look()
    project.write("a.py", "b.txt", "pkg/c.py", "pkg/d.pyc", "pkg/data/e.json", text="y = 22\n")

    assert project.tree.size == (3, 2)
    assert project.changes() == ["a.py", "pkg/c.py"]


def test_files_that_match_a_glob_are_wanted_too(project: Project) -> None:
    project.write("templates/a.html", "deep/down/b.html", "config/c.yaml", "other/c.yaml", "d.txt")
    project.look("*.html", "/config/*.yaml", "!deep/**")
    project.write("templates/a.html", "deep/down/b.html", "config/c.yaml", "other/c.yaml", "d.txt", text="y = 22\n")

    assert project.changes() == ["config/c.yaml", "templates/a.html"]


@pytest.mark.parametrize("name", sorted(IGNORED_FOLDERS))
def test_ignored_folders_are_never_entered(project: Project, name: str) -> None:
    project.write("a.py", f"{name}/b.py", f"pkg/{name}/deep/c.py")
    project.look()
    project.write(f"{name}/b.py", f"pkg/{name}/new/d.py", text="y = 22\n")

    assert project.changes() == []
    assert project.changes(name, f"pkg/{name}", f"{name}/b.py") == []
    assert project.watched() == [".", "pkg"]


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_an_environment_is_never_entered_whatever_its_name(project: Project, mark: str) -> None:
    project.write("a.py", f"python-for-us/{mark}", "python-for-us/lib/site-packages/b.py")
    project.look()

    assert project.watched() == ["."]
    assert project.changes("python-for-us") == []


def test_folders_that_a_gitignore_names_are_never_entered(project: Project) -> None:
    project.write(".gitignore", text="build/\n/data\n*.egg-info\n# no/\n")
    project.write("build/a.py", "src/build/b.py", "data/c.py", "src/data/d.py", "x.egg-info/e.py", "no/f.py")
    project.look()

    assert project.watched() == [".", "no", "src", "src/data"]


def test_a_gitignore_in_a_folder_counts_below_it(project: Project) -> None:
    project.write("src/.gitignore", text="generated/\n/local\n")
    project.write(
        "generated/a.py", "src/generated/b.py", "src/pkg/generated/c.py", "src/local/d.py", "src/pkg/local/e.py"
    )
    project.look()

    assert project.watched() == [".", "generated", "src", "src/pkg", "src/pkg/local"]


def test_what_a_gitignore_takes_back_is_entered(project: Project) -> None:
    project.write(".gitignore", text="/out*/\n!/out-of-order/\n")
    project.write("out/a.py", "out-of-order/b.py")
    project.look()

    assert project.watched() == [".", "out-of-order"]


def test_a_new_folder_that_a_gitignore_names_is_not_entered_either(project: Project) -> None:
    project.write(".gitignore", text="build/\n")
    project.look()
    project.write("build/a.py", "src/build/b.py", "src/c.py")

    assert project.changes("build", "src") == ["src/c.py"]
    assert project.watched() == [".", "src"]


def test_a_gitignore_that_is_no_text_is_no_hindrance(project: Project) -> None:
    (project.root / ".gitignore").write_bytes(b"\xff\xfe\x00!\n")
    project.write("a.py")
    project.look()

    assert project.tree.size == (1, 1)


# --- what is a change ---


def test_new_content_is_a_change_once(project: Project) -> None:
    project.write("a.py", "b.py")
    project.look()
    project.write("a.py", text="y = 2\n")

    assert project.changes("a.py") == ["a.py"]
    assert project.changes("a.py") == []
    assert project.changes() == []


def test_new_content_of_the_same_size_at_the_same_time_is_a_change(project: Project) -> None:
    project.write("a.py", text="x = 1\n")
    before = (project.root / "a.py").stat()
    project.look()
    project.write("a.py", text="x = 2\n")
    os.utime(project.root / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))

    assert project.changes("a.py") == ["a.py"]


def test_the_same_bytes_a_touch_and_another_mode_are_no_change(project: Project) -> None:
    project.write("a.py", "b.py", "c.py")
    project.look()
    project.write("a.py")
    (project.root / "b.py").touch()
    (project.root / "c.py").chmod(0o755)

    assert project.changes("a.py", "b.py", "c.py") == []
    assert project.changes() == []


def test_the_same_bytes_in_another_file_of_the_name_are_no_change(project: Project) -> None:
    project.write("a.py", "a.py.tmp")
    project.look()
    (project.root / "a.py.tmp").replace(project.root / "a.py")

    assert project.changes("a.py.tmp", "a.py") == []


def test_content_that_was_not_read_yet_counts_as_changed(project: Project) -> None:
    project.write("a.py")
    project.tree = Tree(Watched((project.root,)))
    project.write("a.py", text="y = 22\n")

    assert project.changes() == ["a.py"]


def test_new_and_removed_files_are_changes(project: Project) -> None:
    project.write("a.py", "b.txt")
    project.look()
    (project.root / "a.py").unlink()
    (project.root / "b.txt").unlink()
    project.write("c.py", "d.txt")

    assert project.changes("a.py", "b.txt", "c.py", "d.txt") == ["a.py", "c.py"]
    assert project.changes("a.py", "c.py") == []


def test_a_renamed_file_is_two_changes(project: Project) -> None:
    project.write("a.py")
    project.look()
    (project.root / "a.py").rename(project.root / "b.py")

    assert project.changes("a.py", "b.py") == ["a.py", "b.py"]


def test_all_changes_finds_what_no_event_told_of(project: Project) -> None:
    project.write("a.py", "pkg/b.py", "gone/c.py", "pkg/d.py")
    project.look()
    shutil.rmtree(project.root / "gone")
    (project.root / "pkg/d.py").unlink()
    project.write("pkg/b.py", "new/deep/e.py", text="y = 22\n")

    assert sorted(project.changes()) == ["gone/c.py", "new/deep/e.py", "pkg/b.py", "pkg/d.py"]
    assert project.changes() == []


def test_a_path_outside_is_nobodys(project: Project, tmp_path: Path) -> None:
    project.write("a.py")
    project.look()
    (tmp_path / "other").mkdir()
    (tmp_path / "other.py").write_text("")

    assert project.tree.changes([str(tmp_path / "other"), str(tmp_path / "other.py"), str(tmp_path)]) == []
    assert project.watched() == ["."]


# --- folders ---


def test_a_new_folder_is_listened_to_with_all_in_it(project: Project) -> None:
    project.look()
    project.write("pkg/__init__.py", "pkg/deep/down/a.py", "pkg/__pycache__/a.py")

    assert project.changes("pkg") == ["pkg/__init__.py", "pkg/deep/down/a.py"]
    assert project.watched() == [".", "pkg", "pkg/deep", "pkg/deep/down"]


def test_a_folder_is_listened_to_before_it_is_looked_into(project: Project) -> None:
    """A file that comes after the look is told by an event."""
    project.write("pkg/a.py")

    class Late(Listener):
        def add(self, folder: str) -> None:
            super().add(folder)
            project.write("pkg/b.py")

    project.listener = Late()
    project.look()

    assert project.tree.size == (2, 2)


def test_a_removed_folder_takes_its_files_along(project: Project) -> None:
    project.write("pkg/a.py", "pkg/deep/b.py", "package/c.py")
    project.look()
    shutil.rmtree(project.root / "pkg")

    assert project.changes("pkg") == ["pkg/a.py", "pkg/deep/b.py"]
    assert project.watched() == [".", "package"]
    assert project.tree.size == (2, 1)


def test_a_folder_that_comes_back_is_listened_to_again(project: Project) -> None:
    project.write("pkg/a.py")
    project.look()
    shutil.rmtree(project.root / "pkg")
    project.changes("pkg")
    project.write("pkg/a.py")

    assert project.changes("pkg") == ["pkg/a.py"]
    assert project.watched() == [".", "pkg"]


def test_a_folder_that_came_back_before_anybody_looked_is_listened_to_again(project: Project) -> None:
    """As git checkout does it: what is listened to there is the old folder."""
    project.write("pkg/a.py", "pkg/b.py")
    project.look()
    shutil.rmtree(project.root / "pkg")
    project.write("pkg/a.py", text="y = 22\n")
    project.listener.heard.clear()

    assert project.changes("pkg") == ["pkg/a.py", "pkg/b.py"]
    assert project.listener.heard == [str(project.root / "pkg")]


def test_a_renamed_folder_is_gone_and_new(project: Project) -> None:
    project.write("old/a.py", "old/deep/b.py")
    project.look()
    (project.root / "old").rename(project.root / "new")

    assert project.changes("old", "new") == ["old/a.py", "old/deep/b.py", "new/a.py", "new/deep/b.py"]
    assert project.watched() == [".", "new", "new/deep"]


def test_a_folder_in_the_place_of_a_file_and_the_other_way_round(project: Project) -> None:
    project.write("a.py", "b/c.py")
    project.look()
    (project.root / "a.py").unlink()
    shutil.rmtree(project.root / "b")
    project.write("a.py/d.py", "b")

    assert sorted(project.changes("a.py", "b")) == ["a.py/d.py", "b/c.py"]


def test_several_roots(tmp_path: Path) -> None:
    one, two = tmp_path.resolve() / "one", tmp_path.resolve() / "two"
    for root in (one, two):
        root.mkdir()
        (root / "a.py").write_text("")
    tree = Tree(Watched((one, two)))
    tree.read_all()
    (two / "a.py").write_text("x = 1")

    assert tree.all_changes() == [two / "a.py"]


def test_a_root_that_is_named_by_a_link(project: Project, tmp_path: Path) -> None:
    project.write("a.py")
    (tmp_path / "link").symlink_to(project.root)
    project.tree = Tree(Watched((tmp_path / "link",)), project.listener)
    project.write("b.py")

    assert project.changes("b.py") == ["b.py"]
    assert project.watched() == ["."]


# --- single files ---


def test_single_files_are_wanted_wherever_they_are(project: Project, tmp_path: Path) -> None:
    settings, absent = tmp_path / "elsewhere" / "dev.env", tmp_path / "elsewhere" / "later.env"
    settings.parent.mkdir()
    settings.write_text("A=1")
    project.look(files=(settings, absent, project.root / ".env"))
    settings.write_text("A=22")
    absent.write_text("B=1")
    project.write(".env")
    (settings.parent / "other.py").write_text("")

    dirty = [settings, absent, project.root / ".env", settings.parent / "other.py"]
    assert project.tree.changes(map(str, dirty)) == [settings, absent, project.root / ".env"]
    assert str(settings.parent) in project.listener.folders
    assert project.changes() == []


def test_a_single_file_that_is_removed_is_a_change(project: Project) -> None:
    project.write(".env")
    project.look(files=(project.root / ".env",))
    (project.root / ".env").unlink()

    assert project.changes() == [".env"]


# --- links ---


def test_links_to_folders_are_followed(project: Project, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "a.py").write_text("")
    (project.root / "shared").symlink_to(shared)
    project.look()
    (shared / "a.py").write_text("x = 1")

    assert project.watched() == [".", "shared"]
    assert project.changes("shared/a.py") == ["shared/a.py"]


def test_a_link_that_leads_somewhere_else_now_is_a_change(project: Project, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text(name)
    (project.root / "link").symlink_to(tmp_path / "one")
    project.look()
    (project.root / "link").unlink()
    (project.root / "link").symlink_to(tmp_path / "two")

    assert project.changes("link") == ["link/a.py"]


def test_a_link_to_a_file_has_the_files_content(project: Project, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    (project.root / "a.py").symlink_to(tmp_path / "a.py")
    project.look()
    (tmp_path / "a.py").write_text("x = 1")

    assert project.changes() == ["a.py"]


def test_a_link_that_leads_nowhere_is_no_file(project: Project) -> None:
    (project.root / ".#a.py").symlink_to("user@host.123:456")  # what Emacs writes beside a file that is edited
    project.look()
    (project.root / ".#b.py").symlink_to("user@host.123:456")

    assert project.tree.size == (1, 0)
    assert project.changes(".#b.py") == []


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_link_to_a_folder_that_it_lies_in_is_not_followed(project: Project, target: str) -> None:
    project.write("pkg/deep/a.py")
    (project.root / "pkg/deep/up").symlink_to(target)
    project.look()

    assert project.watched() == [".", "pkg", "pkg/deep"]


# --- what cannot be read ---


def test_a_folder_that_cannot_be_read_is_no_hindrance(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(folder: str) -> Any:  # whatever its mode is, root may read a folder
        if folder.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    project.write("closed/b.py", "c.py")
    project.look()
    project.write("c.py", text="y = 22\n")

    assert project.changes() == ["c.py"]


def test_a_folder_that_is_gone_before_it_is_looked_into(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("pkg/a.py", "b.py")

    class Remover(Listener):
        def add(self, folder: str) -> None:
            super().add(folder)
            if folder.endswith("pkg"):
                shutil.rmtree(folder)

    project.listener = Remover()
    project.look()

    assert project.tree.size[1] == 1


def test_a_root_that_is_not_there_comes_later(project: Project) -> None:
    project.root.rmdir()
    project.look()
    project.write("a.py")

    assert project.changes() == ["a.py"]


# --- what does not work ---


def test_a_link_to_itself_is_no_hindrance(project: Project) -> None:
    project.write("a.py")
    (project.root / "loop").symlink_to("loop")
    project.look()

    assert project.tree.size == (1, 1)


def test_folders_that_link_to_each_other_are_followed_once(project: Project) -> None:
    project.write("a/x.py", "b/y.py")
    (project.root / "a/to_b").symlink_to("../b")
    (project.root / "b/to_a").symlink_to("../a")
    project.look()

    assert project.tree.size[0] < 10


def test_a_nearer_gitignore_takes_back_what_one_above_it_names(project: Project) -> None:
    project.write(".gitignore", text="build/\n")
    project.write("src/.gitignore", text="!build/\n")
    project.write("src/build/a.py")
    project.look()

    assert project.watched() == [".", "src", "src/build"]


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_an_environment_that_is_made_meanwhile_is_left_alone(project: Project, mark: str) -> None:
    project.look()
    project.write("env/lib/site-packages/README.txt")  # python -m venv makes the folders first
    project.changes("env")
    project.write(f"env/{mark}", "env/lib/site-packages/pip/a.py")

    assert project.changes(f"env/{mark.partition('/')[0]}", "env/lib/site-packages/pip") == []


def test_a_gitignore_that_changes_counts_from_then_on(project: Project) -> None:
    project.write("a.py", ".gitignore")
    project.look()
    project.write(".gitignore", text="build/\n")
    project.changes(".gitignore")
    project.write("build/b.py")

    assert project.changes("build") == []


def test_a_gitignore_that_is_removed_counts_no_more(project: Project) -> None:
    project.write(".gitignore", text="build/\n")
    project.write("build/b.py")
    project.look()
    (project.root / ".gitignore").unlink()

    assert project.changes() == ["build/b.py"]


def test_a_single_files_folder_that_comes_back(project: Project, tmp_path: Path) -> None:
    settings = tmp_path / "elsewhere" / "dev.env"
    settings.parent.mkdir()
    settings.write_text("A=1")
    project.look(files=(settings,))
    shutil.rmtree(settings.parent)
    assert project.tree.all_changes() == [settings]
    settings.parent.mkdir()
    settings.write_text("A=2")

    assert project.tree.all_changes() == [settings]
    assert str(settings.parent) in project.listener.folders
