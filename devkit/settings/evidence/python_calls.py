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
    names = _Names(file, tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)):
            words = _words(node.elts)
            if len(words) > 1 and any(map(MENTION.search, words)):
                yield Piece(words, node.lineno)
        elif isinstance(node, ast.Call):
            yield from _call(node, names, called=called and b"Flask" in content)


class _Names:
    """What the names mean by which a module calls its apps."""

    def __init__(self, file: Path, tree: ast.Module) -> None:
        self.file = file
        self._imported = {
            alias.asname or alias.name: f"{node.module}:{alias.name}"
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module and not node.level
            for alias in node.names
        }
        plain = [node for node in tree.body if isinstance(node, (ast.Expr, ast.Assign))]
        self._on_import = {id(child) for node in plain for child in ast.walk(node)}
        self._top = {child.id for node in plain for child in ast.walk(node) if isinstance(child, ast.Name)}
        self._made = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def spec(self, app: ast.expr | None, call: ast.Call) -> tuple[str, bool]:
        """The app that is passed to the call, and whether that is a function which makes it. Empty: nobody can tell.

        The module whose import makes the call, and never ends, is not named where the app comes from another.
        """
        if isinstance(app, ast.Name) and app.id not in {*self._top, *self._imported} and app.id in self._made:
            app = self._made[app.id]  # a function's own
        if isinstance(app, ast.Call):
            plain = isinstance(app.func, ast.Name) and not app.args and not app.keywords
            return (self.spec(app.func, call)[0], True) if plain else ("", False)
        if not isinstance(app, ast.Name):
            return _text(app), False
        own = f"{self.file.name}:{app.id}"
        return (self._imported.get(app.id, own) if id(call) in self._on_import else own), False


def _call(node: ast.Call, names: _Names, *, called: bool) -> Iterator[Piece | Start]:
    function = node.func
    owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    first = node.args[0] if node.args else next((one.value for one in node.keywords), None)
    app = names.spec(function.value, node)[0] if isinstance(function, ast.Attribute) and owner.isidentifier() else ""
    if name in ("run", "Config") and (owner == "uvicorn" or (not owner and name == "Config")):
        yield from _uvicorn(node, names)
    elif name in ("worker_main", "start") and isinstance(first, (ast.List, ast.Tuple)):
        words = _words(first.elts)
        for start in starts("celery", words if "worker" in words or name == "start" else ("worker", *words), {}):
            yield replace(start, spec=start.spec or app, line=node.lineno, text=_shown(node))
    elif name in ("worker_main", "Worker") and app:
        yield Start("worker", app, line=node.lineno, text=_shown(node))
    elif name in _RUNS_A_TEXT and first is not None and (text := _text(first)) and MENTION.search(text):
        yield Piece(text, node.lineno)
    elif name == "run" and called and app and owner not in ("subprocess", "asyncio"):
        yield Start("api", names.file.name, server="python", line=node.lineno, text=_shown(node))


def _uvicorn(node: ast.Call, names: _Names) -> Iterator[Start]:
    """`uvicorn.run("app.main:app", …)`, `uvicorn.run(app)`, `uvicorn.run(create_app())`."""
    given = {one.arg: one.value for one in node.keywords}
    spec, made = names.spec(node.args[0] if node.args else given.get("app"), node)
    if ":" in spec and "$" not in spec:
        factory, folder = given.get("factory"), _text(given.get("app_dir"))
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
