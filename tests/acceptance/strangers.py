"""Plays a stranger's project through devkit, as its newcomer would."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import celery
import httpx

from tests.acceptance.harness import Done, Project, environment, wait_until
from tests.plays import Call, Edit, Play, Stop


def play(one: Play, folder: Path) -> None:
    """The whole of it, in a copy of the project in `folder`."""
    with _copy(one, folder) as project:
        if one.needs:
            _plain_says(project, one)
        _edit(project, one.needs.edits if one.needs else ())
        project.environ |= one.needs.environ if one.needs else {}
        up = project.up(*(one.needs.flags if one.needs else ()))
        assert [text for text in one.up_says if text not in up.out + up.err] == []
        _services(project, one)
        _run(project, one.task)
        _fails(project, one.failure)
        _stops(project, one.task, one.breakpoint)
        for also in one.also:
            _says(project, also.command, also.code, also.says)
        _is_live(project, one.task, one.save)
        project.devkit("down").expect(0)
        project.wait_until_gone()


@contextmanager
def _copy(one: Play, folder: Path) -> Iterator[Project]:
    with closing(Project(folder, {})) as project:
        for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
            del project.environ[name]
        if not one.flower:
            project.environ["DEVKIT_WITH_FLOWER"] = "0"  # it takes longer than all the rest
        shutil.copytree(
            one.folder, project.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("play.toml", "__pycache__")
        )
        _set_up(project.root, one)
        yield project


def _set_up(root: Path, one: Play) -> None:
    for name in one.setup.crlf:
        (root / name).write_bytes((root / name).read_bytes().replace(b"\n", b"\r\n"))
    for name in one.setup.bom:
        (root / name).write_bytes(b"\xef\xbb\xbf" + (root / name).read_bytes())
    for name, target in one.setup.links.items():
        (root / name).symlink_to(target)
    if one.setup.without:
        environment(root / ".venv", str(_packages(root.parent / "packages", one.setup.without)))


def _packages(folder: Path, without: Sequence[str]) -> Path:
    """A folder of packages with all that the tests' own environment has, but for these."""
    folder.mkdir()
    for path in Path(celery.__file__).parents[1].iterdir():
        if re.split(r"[-.]", path.name)[0] not in without:
            (folder / path.name).symlink_to(path)
    return folder


def _edit(project: Project, edits: Sequence[Edit]) -> None:
    for edit in edits:
        path = project.root / edit.file
        text = path.read_bytes().decode()
        assert text.count(edit.old) == 1, f"{edit.file}: {text.count(edit.old)} times {edit.old!r}"
        path.write_bytes(text.replace(edit.old, edit.new).encode())


def _plain_says(project: Project, one: Play) -> None:
    """Without what it needs, devkit says what that is: as it starts, or at the first task."""
    assert one.needs
    said = project.devkit("up", "-d")
    if said.code == 0:
        ran = project.devkit("run", *one.task.typed)
        said = Done(ran.code, said.out + ran.out, said.err + ran.err)
        project.devkit("down").expect(0)
        project.wait_until_gone()
    assert one.needs.told in said.out + said.err, said


def _services(project: Project, one: Play) -> None:
    services = project.services()
    assert {name: service["state"] for name, service in services.items()} == dict.fromkeys(services, "ready")
    if one.services:
        assert set(services) == set(one.services)
    urls = [url for service in services.values() if (url := service["url"] or "").startswith("http")]
    with httpx.Client(trust_env=False) as client:
        for path, text in one.pages.items():
            pages = {url: client.get(url + path) for url in urls}
            assert any(page.is_success and text in page.text for page in pages.values()), (path, pages)


def _run(project: Project, call: Call) -> None:
    done = project.devkit("run", *call.typed).expect(0)
    assert call.says in done.out + done.err
    if call.result is not None:
        assert json.loads(done.out) == call.result


def _fails(project: Project, call: Call) -> None:
    """It does, and does so again when it is replayed."""
    ran = project.devkit("run", *call.typed).expect(1)
    assert call.error in ran.out + ran.err
    newest = project.devkit("failures", "--json").expect(0).json()[0]
    replayed = project.devkit("replay", newest["id"]).expect(1)
    assert "same failure" in replayed.out + replayed.err
    assert call.error in replayed.out + replayed.err


def _stops(project: Project, call: Call, stop: Stop) -> None:
    lines = (project.root / stop.file).read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if stop.line in line)
    at = f"{stop.file}:{number}"
    done = project.devkit("debug", *call.typed, "--run", "--break", at, "-e", f"p {stop.print}", "-e", "c").expect(0)
    assert stop.shows in done.out.splitlines(), done
    project.devkit("debug", "--clear").expect(0)


def _is_live(project: Project, call: Call, save: Edit) -> None:
    """A save is, without anything else done: nothing fails meanwhile, and then the new code runs."""
    _edit(project, [save])

    def new() -> bool:
        done = project.devkit("run", *call.typed).expect(0)
        if save.log:
            return save.log in project.log("worker")
        result = json.loads(done.out)
        assert result in (call.result, save.result)
        return bool(result == save.result)

    wait_until(new, why=lambda: project.log("worker"))


def _says(project: Project, command: Sequence[str], code: int, text: str) -> None:
    """A command does, as soon as it can: what a service's log says may take a moment."""

    def done() -> bool:
        said = project.devkit(*command).expect(code)
        assert command[0] == "logs" or text in said.out + said.err, said
        return text in said.out + said.err

    wait_until(done)
