"""The lines by which a project's own files start its programs, the most trustworthy first."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from devkit.settings.evidence import containers, editors, ini, manifests, recipes, texts
from devkit.settings.evidence.commands import Call, read_text, read_words
from devkit.settings.evidence.compose import read_compose
from devkit.settings.evidence.dockerfile import is_dockerfile
from devkit.settings.evidence.line import StartLine
from devkit.settings.evidence.piece import Piece
from devkit.settings.evidence.places import Places
from devkit.settings.evidence.python_calls import may_start, python_calls
from devkit.settings.evidence.starts import Start
from devkit.settings.evidence.walk import Tree, above, may_tell, walk
from devkit.settings.evidence.where import Where, distance, of_file
from devkit.settings.files import read, text_of

LONGEST = 1 << 17  # characters that are looked at: no start script has more
CALLS_DEEP = 3
MOST_CALLS = 50  # files that one command leads to: scripts may call each other in circles

Reader = Callable[[Path, str], Iterator[Piece]]
_NEEDLES = (b"elery", b"corn", b"astapi", b"lask", b"lower", b".py", b".sh", b"daphne", b"granian", b"python -m")


def _script(_file: Path, text: str) -> Iterator[Piece]:
    if not re.match(r"#!.*\b(?:python|perl|ruby|node)", text):
        yield Piece(text, 1)


def _windows_script(_file: Path, text: str) -> Iterator[Piece]:
    """Of cmd and PowerShell: other signs for paths and for lines that go on, the same programs."""
    yield Piece(re.sub(r"[\^`]\n", "\\\\\n", text.replace("\\", "/")), 1)


# How far each kind of file is to be trusted (the least the most), by its name, or by its ending where the name is none
# of these; compose files and Dockerfiles come before.
_NAMES: tuple[tuple[str, int, Reader], ...] = (
    ("procfile", 2, ini.procfile),
    ("render.y", 2, manifests.yaml),
    ("heroku.y", 2, manifests.yaml),
    ("taskfile", 4, manifests.yaml),
    ("makefile", 4, recipes.makefile),
    ("gnumakefile", 4, recipes.makefile),
    ("justfile", 4, recipes.justfile),
    (".justfile", 4, recipes.justfile),
    ("package.json", 4, manifests.package_json),
    ("readme", 6, texts.markdown),
)
_ENDINGS: Mapping[str, tuple[int, Reader]] = {
    **dict.fromkeys(("conf", "ini", "cfg"), (2, ini.supervisord)),
    "service": (2, ini.systemd),
    **dict.fromkeys(("", "sh", "bash", "zsh"), (3, _script)),
    **dict.fromkeys(("bat", "cmd", "ps1"), (3, _windows_script)),
    "json": (4, editors.vscode),
    "xml": (4, editors.pycharm),
    "mk": (4, recipes.makefile),
    "just": (4, recipes.justfile),
    "toml": (4, manifests.toml),
    **dict.fromkeys(("md", "rst"), (6, texts.markdown)),
}
COMPOSE, DOCKERFILE, PYTHON = 0, 1, 5


def start_lines(root: Path, contents: Callable[[str], bytes] | None = None) -> tuple[StartLine, ...]:
    """All of them. `contents` gives a Python file's bytes, where they have been read before."""
    return _start_lines(root.resolve(), contents or _bytes)


@cache
def _start_lines(root: Path, contents: Callable[[str], bytes]) -> tuple[StartLine, ...]:
    tree = walk(root)
    found: dict[tuple[object, ...], tuple[tuple[bool, int, int], StartLine]] = {}
    seen: set[tuple[object, ...]] = set()
    for rank, piece, where in _pieces(root, tree, contents):
        for line in _lines(piece, where, root, iter(range(MOST_CALLS))):
            key = (line.file, line.line, line.program, line.spec, line.queues)
            if rank == COMPOSE or key[:3] not in seen:
                place = (tree.is_aside(line.file), rank, tree.depth(where.file) if rank else 0)
                found.setdefault((*key, line.service), (place, line))
                seen.add(key[:3])
    return tuple(line for _, line in sorted(found.values(), key=lambda one: one[0]))


def _pieces(root: Path, tree: Tree, contents: Callable[[str], bytes]) -> Iterator[tuple[int, Piece | Start, Where]]:
    """Every command that some file has, and where it is run; compose's first."""
    services = read_compose(root).services
    inside = [(COMPOSE, *found) for one in services for found in containers.of_service(one, services, root)]
    inside += [(DOCKERFILE, *found) for found in containers.of_dockerfiles(root)]
    yield from inside
    known = Places([pair for _, _, where in inside for pair in where.places.pairs])
    for name in (*tree.launch, *_files_above(root)):
        for rank, piece in _told(name):
            yield rank, piece, of_file(Path(name), root, known)
    for name in tree.python:
        if may_start(content := contents(name)):
            for piece_or_start in python_calls(Path(name), content):
                yield PYTHON, piece_or_start, of_file(Path(name), root, known)


def _files_above(root: Path) -> Iterator[str]:
    """Those of the repository that the project is a part of. Where it is in none, other projects' may lie there."""
    folders = above(root)
    if not folders or not (folders[-1] / ".git").exists():
        return
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            yield from sorted(
                entry.path for entry in entries if entry.name.isprintable() and may_tell(entry.name) and entry.is_file()
            )


def _told(file: str) -> Iterator[tuple[int, Piece]]:
    """The commands that a file has, if its name says that it may have any."""
    name = file.rpartition("/")[2].lower()
    kinds = [(rank, reader) for start, rank, reader in _NAMES if name.startswith(start)]
    kind = kinds[0] if kinds else _ENDINGS.get(name.rpartition(".")[2] if "." in name else "")
    if kind and not is_dockerfile(name):
        content = _bytes(file)[:LONGEST]
        if any(needle in content for needle in _NEEDLES) and b"\0" not in content:
            text = content.decode("utf-8", "replace").replace("\r\n", "\n").removeprefix("\ufeff")
            yield from ((kind[0], piece) for piece in kind[1](Path(file), text))


def _lines(
    piece: Piece | Start, where: Where, root: Path, calls: Iterator[int], deep: int = CALLS_DEEP
) -> Iterator[StartLine]:
    """What a command starts, also where it only calls a script that does."""
    if isinstance(piece, Start):
        started: Iterator[Start | Call] = iter((piece,))
    else:
        environ = {**where.environ, **piece.environ}
        where = replace(where.after([piece.folder]), service=where.service or piece.service)
        if isinstance(piece.command, str):
            started = read_text(piece.command, environ, piece.line)
        else:
            started = read_words(piece.command, environ, piece.line)
    for one in started:
        there = where.after(one.changes)
        if isinstance(one, Start):
            if line := _line(one, there, root):
                yield line
        elif deep and next(calls, None) is not None:
            yield from _called(one, there, root, calls, deep - 1)


def _called(call: Call, where: Where, root: Path, calls: Iterator[int], deep: int) -> Iterator[StartLine]:
    """What the file does that is called."""
    file = _file_of(call, where, root)
    if file is None or file.suffix not in ("", ".sh", ".bash", ".zsh", ".py"):
        return
    inner = replace(where, file=file, environ={**where.environ, **call.environ}, service=where.service or call.service)
    if file.suffix == ".py":
        if file.parent not in inner.folders and not call.module:  # a script's own folder is the first on its path
            inner = replace(inner, folders=(file.parent, *inner.folders))
        for piece in python_calls(file, _bytes(str(file)), called=True):
            yield from _lines(piece, inner, root, calls, deep)
    else:
        for one in read_text(text_of(file)[:LONGEST], inner.environ, 1, call.args):
            there = inner.after(one.changes)
            if isinstance(one, Call) and deep and next(calls, None) is not None:
                yield from _called(one, there, root, calls, deep - 1)
            elif isinstance(one, Start) and (line := _line(one, there, root)):
                yield line


def _file_of(call: Call, where: Where, root: Path) -> Path | None:
    """By its path; in a container also by its name alone, as images put scripts on their PATH."""
    if call.module:
        path = call.name.replace(".", "/")
        names = [f"{path}.py", f"{path}/__main__.py"]
    else:
        names = [call.name] if call.surely else []
    for name in names:
        for path_here in where.paths(name):
            if path_here.is_file():
                return path_here
    if not where.inside or call.module:
        return None
    wanted = call.name.rpartition("/")[2]
    same = [Path(file) for file in walk(root).launch if file.rpartition("/")[2] == wanted]
    return min(same, key=lambda file: len(file.parts), default=None)


def _line(start: Start, where: Where, root: Path) -> StartLine | None:
    """None where it starts what is not this project's, or has what no terminal should be shown."""
    if not "".join((start.spec, start.queues, start.pool, start.text, start.service)).isprintable():
        return None
    besides = tuple(dict.fromkeys((*where.besides, where.file.parent, root)))
    folders = replace(where, besides=besides).imports(start)
    if not folders or distance(folders[0], start) > 1:
        folders = (*_holding(start, root), *folders)
    if not _is_own(folders, start, root):
        return None
    return StartLine(
        program=start.program,
        spec=start.spec,
        file=where.file,
        line=start.line,
        text=start.text,
        folders=folders,
        service=where.service or start.service,
        server=start.server,
        factory=start.factory,
        queues=start.queues,
        pool=start.pool,
        concurrency=start.concurrency,
        environ=start.environ,
        own={name: value for name, value in start.environ.items() if where.environ.get(name) != value},
    )


def _holding(start: Start, root: Path) -> list[Path]:
    """The folder below the project's that has the app: people leave out that they go there first."""
    tree = walk(root)
    module = start.spec.partition(":")[0]
    path = module.removesuffix(".py").replace(".", "/")
    names = [f"/{path}.py", f"/{path}/__init__.py"] if path else []
    if "/" not in module and "/" in path:  # its last part may be the app
        names.append(f"/{path.rpartition('/')[0]}.py")
    for name in names:
        if found := [Path(file[: -len(name)]) for file in tree.python if file.endswith(name)]:
            return [min(found, key=lambda folder: (tree.is_aside(folder / "x"), tree.depth(folder)))]
    return []


def _is_own(folders: tuple[Path, ...], start: Start, root: Path) -> bool:
    """Whether the app is in this project, and not in another one of the repository."""
    if not folders or folders[0].is_relative_to(root):
        return True
    known = bool(start.spec) and any(distance(one, start) < 2 for one in folders if one.is_relative_to(root))
    return known or (root.is_relative_to(folders[0]) and distance(folders[0], start) < 2)


def _bytes(file: str) -> bytes:
    """Nothing where it cannot be read."""
    try:
        return read(file)
    except OSError:
        return b""
