"""What Python code starts: lists for `subprocess`, `os.system`, `uvicorn.run`, `app.worker_main`. It is only read."""

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from devkit.settings.evidence.commands import MENTION
from devkit.settings.evidence.piece import Piece
from devkit.settings.evidence.starts import Start, starts

# One of these must be in it.
_STARTS = (
    *(b"subprocess", b"vicorn.run", b"vicorn import", b"worker_main(", b".Worker(", b"os.system", b"argv"),
    *(b'.run("', b".run('", b'.run(f"'),  # Invoke's and Fabric's
)
_RUNS_A_TEXT = frozenset(
    ("system", "popen", "run", "call", "Popen", "check_call", "check_output", "create_subprocess_shell", "getoutput")
)


def may_start(content: bytes) -> bool:
    """Whether it is worth parsing."""
    # Spelled out, as it is asked of thousands of files.
    if b"elery" in content or b"corn" in content or b"manage.py" in content:
        return any(name in content for name in _STARTS)
    return b"worker_main" in content


def python_calls(file: Path, content: bytes, *, called: bool = False) -> Iterator[Piece | Start]:
    """What this file starts; `called`: it is run itself, and a Flask app in it runs by that.

    An app that the file has itself is given as `main.py:app`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escape sequences: not ours to report
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)):
            words = _words(node.elts)
            if len(words) > 1 and any(map(MENTION.search, words)):
                yield Piece(words, node.lineno)
        elif isinstance(node, ast.Call):
            yield from _call(node, file, called=called and b"Flask" in content)


def _call(node: ast.Call, file: Path, *, called: bool) -> Iterator[Piece | Start]:
    owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0] if node.args else next((one.value for one in node.keywords), None)
    if name in ("run", "Config") and (owner == "uvicorn" or (not owner and name == "Config")):
        yield from _uvicorn(node, file)
    elif name in ("worker_main", "start") and isinstance(first, (ast.List, ast.Tuple)):
        words = _words(first.elts)
        for start in starts("celery", words if "worker" in words or name == "start" else ("worker", *words), {}):
            spec = start.spec or (f"{file.name}:{owner}" if owner.isidentifier() else "")
            yield replace(start, spec=spec, line=node.lineno, text=_shown(node))
    elif name in ("worker_main", "Worker") and owner.isidentifier():
        yield Start("worker", f"{file.name}:{owner}", line=node.lineno, text=_shown(node))
    elif name in _RUNS_A_TEXT and first is not None and (text := _text(first)) and MENTION.search(text):
        yield Piece(text, node.lineno)
    elif name == "run" and called and owner.isidentifier() and owner not in ("subprocess", "asyncio"):
        yield Start("api", file.name, server="python", line=node.lineno, text=_shown(node))


def _uvicorn(node: ast.Call, file: Path) -> Iterator[Start]:
    """`uvicorn.run("app.main:app", …)`, `uvicorn.run(app)`, `uvicorn.run(create_app())`."""
    given = {one.arg: one.value for one in node.keywords}
    app = node.args[0] if node.args else given.get("app")
    made = isinstance(app, ast.Call) and not app.args and not app.keywords
    named = app.func if isinstance(app, ast.Call) and made else app
    spec = f"{file.name}:{named.id}" if isinstance(named, ast.Name) else _text(named)
    if spec and ":" in spec and "$" not in spec:
        factory = given.get("factory")
        folder = _text(given.get("app_dir"))
        yield Start(
            "api",
            spec,
            server="uvicorn",
            factory=made or (isinstance(factory, ast.Constant) and factory.value is True),
            imports=(folder,) if folder else (),
            line=node.lineno,
            text=_shown(node),
        )


def _words(elements: Sequence[ast.expr]) -> tuple[str, ...]:
    """What a list of words says; what only a running program knows is a variable."""
    if all(_text(one) == "" for one in elements):
        return ()
    return tuple("python" if ast.unparse(one) == "sys.executable" else _text(one) or "$unknown" for one in elements)


def _text(node: ast.expr | None) -> str:
    """A text, with variables in the place of what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value) if isinstance(node.value, (str, int)) and not isinstance(node.value, bool) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "${unknown}" for part in node.values)
    return ""


def _shown(node: ast.Call) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 80 else f"{text[:79]}…"
