"""One module: what its top level binds, and which apps are among it."""

import ast
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from devkit.settings.discover.kinds import KINDS, Kind, place

# A file can be unreadable, broken, in an encoding it does not declare, or nested too deep for the parser.
UNREADABLE = (OSError, SyntaxError, ValueError, RecursionError, MemoryError)

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SCOPES = (*_DEFINITIONS, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FALSE_ON_IMPORT = (
    "__name__ == '__main__'",
    "'__main__' == __name__",
    "TYPE_CHECKING",
    "typing.TYPE_CHECKING",
    "t.TYPE_CHECKING",
)
_DYNAMIC = ("*", "__getattr__")  # bring names that nobody can see here


@dataclass(frozen=True)
class Module:
    """The names that a module has once it is imported."""

    names: frozenset[str]
    values: frozenset[str]  # those of them that are not modules themselves
    apps: dict[Kind, dict[str, int]]  # attribute → line

    def has(self, attribute: str, kind: Kind) -> bool:
        """Whether `attribute` can be an app of this kind: it exists, or may, and is not plainly the other kind."""
        if attribute in self.apps[kind]:
            return True
        return self.kind_of(attribute) is None and not self.names.isdisjoint((attribute, *_DYNAMIC))

    def kind_of(self, attribute: str) -> Kind | None:
        """The kind of app that `attribute` plainly is."""
        return next((kind for kind in KINDS if attribute in self.apps[kind]), None)

    def implied(self, kind: Kind) -> str | None:
        """The attribute that this module's name alone stands for, by the rules of `celery -A`."""
        for names in (self.apps[kind], self.values):
            for name in kind.implied:
                if name in names and self.has(name, kind):
                    return name
        return next(iter(self.apps[kind])) if len(self.apps[kind]) == 1 else None


def read(file: Path | str) -> bytes:
    """The file's content."""
    with FileIO(file) as stream:  # a third faster than open() over thousands of small files
        return stream.readall()


def inspect(source: bytes) -> Module:
    """The module of this source. Raises one of UNREADABLE where this interpreter cannot parse it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the user's escape sequences: not ours to report
        tree = ast.parse(source)
    nodes = list(_import_time(tree))
    return Module(
        names=frozenset(name for node in nodes for name in _bound(node)),
        values=frozenset(name for node in nodes if not _imports_modules(node) for name in _bound(node)),
        apps={kind: _apps(nodes, kind) for kind in KINDS},
    )


def why(error: BaseException) -> str:
    """What one of UNREADABLE says, in a few words."""
    if isinstance(error, SyntaxError):
        return f"{error.msg} (line {error.lineno})" if error.lineno else error.msg
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def _import_time(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node that runs in the module's own scope on import, also inside top-level if, try and with."""
    todo: deque[ast.AST] = deque([tree])
    while todo:
        node = todo.popleft()
        if isinstance(node, ast.AnnAssign) and node.value is None:
            continue  # `app: Celery` binds nothing
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in _FALSE_ON_IMPORT:
            todo.extend(node.orelse)
        elif not isinstance(node, _SCOPES):
            todo.extend(ast.iter_child_nodes(node))


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that this node binds itself (its children are seen on their own)."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, _DEFINITIONS):
        yield node.name
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from (alias.asname or _top(alias.name) for alias in node.names)


def _imports_modules(node: ast.AST) -> bool:
    return isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module is None)


def _apps(nodes: Sequence[ast.AST], kind: Kind) -> dict[str, int]:
    """The apps of this kind that the nodes assign: attribute → line."""
    classes = {spelling for node in nodes for spelling in _spellings(node, kind)}
    apps: dict[str, int] = {}
    for node in nodes:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func).split(".")
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if names and (called[0], called[-1]) in classes:
                # `app = celery = Celery()` is one app: its most usual name stands for it.
                apps.setdefault(min(names, key=lambda name: place(name, kind.attributes)), node.lineno)
    return apps


def _spellings(node: ast.AST, kind: Kind) -> Iterator[tuple[str, str]]:
    """How the kind's class may be written after this import: the first and the last part of a dotted name."""
    if isinstance(node, ast.Import):
        yield from (
            (alias.asname or kind.package, kind.name) for alias in node.names if _top(alias.name) == kind.package
        )
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and _top(node.module or "") == kind.package:
        yield from ((alias.asname or kind.name,) * 2 for alias in node.names if alias.name == kind.name)


def _top(module: str) -> str:
    return module.partition(".")[0]
