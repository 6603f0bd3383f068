"""One module as it is written: what its top level and its functions bind, name by name."""

import ast
import os
import warnings
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# A file can be unreadable, broken, in an encoding it does not declare, or nested too deep for the parser.
UNREADABLE = (OSError, SyntaxError, ValueError, RecursionError, MemoryError)

SMALL = 1 << 15  # bytes that nearly every file has less of

Function = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SCOPES = (*_DEFINITIONS, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FALSE_ON_IMPORT = (
    "__name__ == '__main__'",
    "'__main__' == __name__",
    "TYPE_CHECKING",
    "typing.TYPE_CHECKING",
    "t.TYPE_CHECKING",
)


@dataclass(frozen=True)
class Imported:
    """`from MODULE import NAME`, or `import MODULE` where there is no name."""

    module: str
    level: int
    name: str | None


@dataclass(frozen=True, eq=False)
class Bound:
    """One way in which a name gets its value; none of them where reading does not tell.

    `item` is the place in a tuple that the value or the annotation is.
    """

    line: int
    value: ast.expr | None = None
    annotation: ast.expr | None = None
    item: int | None = None
    imported: Imported | None = None
    definition: "Function | ast.ClassDef | None" = None


class Scope:
    """The names that a module's top level, or a function's body, binds."""

    def __init__(
        self,
        source: "Source",
        nodes: Sequence[ast.AST],
        above: "Scope | None" = None,
        function: "Function | None" = None,
    ) -> None:
        self.source = source
        self.nodes = nodes
        self.above = above
        self.function = function

    @cached_property
    def bound(self) -> dict[str, list[Bound]]:
        found: dict[str, list[Bound]] = defaultdict(list)
        for node in self.nodes:
            for name, bound in _bound(node):
                found[name].append(bound)
        # Each target of an assignment is also seen as a plain name, of which nothing is known.
        return {name: [one for one in all_ if not _is_opaque(one)] or all_[:1] for name, all_ in found.items()}

    @cached_property
    def stars(self) -> list[Imported]:
        """`from MODULE import *`."""
        return [bound.imported for bound in self.bound.get("*", ()) if bound.imported]

    @cached_property
    def held(self) -> dict[str, list[ast.expr]]:
        """What is assigned to attributes and items: `app.state.celery` → values."""
        found: dict[str, list[ast.expr]] = defaultdict(list)
        for node in self.nodes:
            for target, value in _assigned(node):
                if isinstance(target, (ast.Attribute, ast.Subscript)):
                    found[ast.unparse(target)].append(value)
        return dict(found)

    @cached_property
    def calls(self) -> list[ast.Call]:
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def returns(self) -> list[ast.expr]:
        return [node.value for node in self.nodes if isinstance(node, ast.Return) and node.value]


class Source:
    """One parsed file."""

    def __init__(self, file: Path, tree: ast.Module) -> None:
        self.file = file
        self.top = Scope(self, list(_own(tree.body)))
        self._functions: dict[Function, Scope] = {}

    def inside(self, function: Function, above: Scope) -> Scope:
        """The scope of a function's body."""
        if function not in self._functions:
            self._functions[function] = Scope(self, list(_own(function.body)), above, function)
        return self._functions[function]

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self.top.bound)

    @cached_property
    def values(self) -> frozenset[str]:
        """Those of the names that are not modules themselves."""
        return frozenset(name for name, bound in self.top.bound.items() if not all(map(_is_module, bound)))


def read(file: Path | str) -> bytes:
    """The file's content."""
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)  # half of what open() takes, over thousands of small files
    try:
        parts = [os.read(fd, SMALL)]
        while len(parts[-1]) == SMALL:
            parts.append(os.read(fd, SMALL))
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(fd)


def parse(file: Path, content: bytes) -> Source:
    """The module in this file. Raises one of UNREADABLE where this interpreter cannot parse it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the user's escape sequences: not ours to report
        return Source(file, ast.parse(content))


def why(error: BaseException) -> str:
    """What one of UNREADABLE says, in a few words."""
    if isinstance(error, SyntaxError):
        return f"{error.msg} (line {error.lineno})" if error.lineno else error.msg
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def _own(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node that runs in the scope itself, also inside its if, try and with."""
    todo: deque[ast.AST] = deque(body)
    while todo:
        node = todo.popleft()
        if isinstance(node, ast.AnnAssign) and node.value is None:
            continue  # `app: Celery` binds nothing
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in _FALSE_ON_IMPORT:
            todo.extend(node.orelse)
        elif not isinstance(node, _SCOPES):
            todo.extend(ast.iter_child_nodes(node))


def _bound(node: ast.AST) -> Iterator[tuple[str, Bound]]:
    """The names that this node binds itself (its children are seen on their own)."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, Bound(node.lineno)
    elif isinstance(node, _DEFINITIONS):
        yield node.name, Bound(node.lineno, definition=node)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, _imported(node, node.module or "", node.level, alias.name)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or module, _imported(node, module, 0, None)
    for target, value in _assigned(node):
        annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
        yield from _targets(target, value, annotation)


def _targets(target: ast.expr, value: ast.expr, annotation: ast.expr | None) -> Iterator[tuple[str, Bound]]:
    """The names of an assignment, each with its part of the value."""
    if isinstance(target, ast.Name):
        yield target.id, Bound(target.lineno, value, annotation)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for at, element in enumerate(target.elts):
            if isinstance(element, ast.Name):
                yield element.id, Bound(element.lineno, value, item=at)


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value:
        yield node.target, node.value
    elif isinstance(node, ast.withitem) and node.optional_vars:
        yield node.optional_vars, node.context_expr


def _imported(node: ast.stmt, module: str, level: int, name: str | None) -> Bound:
    return Bound(node.lineno, imported=Imported(module, level, name))


def _is_opaque(bound: Bound) -> bool:
    return not (bound.value or bound.imported or bound.definition)


def _is_module(bound: Bound) -> bool:
    """`import x`, `from . import x`."""
    return bound.imported is not None and (bound.imported.name is None or not bound.imported.module)
