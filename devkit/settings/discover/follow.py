"""What an expression of the project's stands for, followed through names, imports, calls and attributes.

Nothing is run. What reading does not tell is None: a value from elsewhere, of a library, of a branch not understood.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from devkit.settings.discover.imports import Finder
from devkit.settings.discover.kinds import CELERY, KINDS, Kind
from devkit.settings.discover.source import UNREADABLE, Bound, Function, Imported, Scope, Source, parse, read, why
from devkit.settings.discover.values import Class, Factory, Library, Made, Module, Origin, OwnClass, Value

# On the way from a name to what it stands for: names, calls and attributes one in the other, and all together.
DEEP = 80
STEPS = 2_000
# After so many in one project only short ways are followed: names that lead to one another in all ways have no end.
ALL_STEPS = 500_000
FEW_STEPS = 100
CURRENT = "current_app"
NO_APP = Made(None, Origin("", 0))
# What Celery's own names of the app that is current are.
_CURRENT_APP = ("celery.current_app", "celery._state.current_app", "celery.app.current_app")
# Where the extension of Flask's documentation keeps it.
_KEPT_BY_FLASK = ".extensions['celery']"


class Follower:
    """Reads modules as they are asked for, each once."""

    def __init__(self, finder: Finder) -> None:
        self.finder = finder
        self.skipped: dict[Path, str] = {}
        self._sources: dict[Path, Source | None] = {}
        self._under_way: set[tuple[int, object]] = set()
        self._known: dict[tuple[Scope, str], Value | None] = {}
        self._steps = self._all_steps = 0
        self._cut = 0

    def source(self, file: Path, content: bytes | None = None) -> Source | None:
        """The module; None where it cannot be read, which `skipped` tells."""
        if file not in self._sources:
            self._sources[file] = None
            try:
                self._sources[file] = parse(file, read(file) if content is None else content)
            except UNREADABLE as error:
                self.skipped[file] = why(error)
        return self._sources[file]

    def named(self, scope: Scope, name: str) -> Value | None:
        """What a name stands for in this scope."""
        key = (scope, name)
        if key not in self._known:
            cut, found = self._cut, self._once((id(scope), name), lambda: self._name(scope, name))
            if self._cut != cut:
                return found  # where the way was cut short, another way to the name may get further
            self._known[key] = found
        return self._known[key]

    def value(self, scope: Scope, node: ast.expr) -> Value | None:
        """What an expression in this scope stands for."""
        return self._once((id(scope), node), lambda: self._value(scope, node))

    def _once(self, key: tuple[int, object], find: Callable[[], Value | None]) -> Value | None:
        """What is found; None where the way leads through itself, or is too long."""
        if not self._under_way:
            self._all_steps, self._steps = self._all_steps + self._steps, 0
        self._steps += 1
        most = STEPS if self._all_steps < ALL_STEPS else FEW_STEPS
        if key in self._under_way or len(self._under_way) >= DEEP or self._steps > most:
            self._cut += 1
            return None
        self._under_way.add(key)
        try:
            return find()
        finally:
            self._under_way.discard(key)

    def apps(self, source: Source, kind: Kind) -> dict[str, Made]:
        """The apps that this module's top level has by assignment: attribute → app."""
        found: dict[str, Made] = {}
        for name, bounds in source.top.bound.items():
            if any(bound.value for bound in bounds):
                value = self.named(source.top, name)
                if isinstance(value, Made) and value.kind is kind:
                    found[name] = value
        return found

    def factories(self, source: Source) -> dict[str, Made]:
        """The functions at this module's top level that make an app, or an object with an app on it: name → that."""
        found = {}
        for name, bounds in source.top.bound.items():
            for definition in (bound.definition for bound in bounds):
                if isinstance(definition, Function):
                    made = self.result(Factory(source.top, definition))
                    if (isinstance(made, Made) and made.kind) or self._holds_an_app(source, definition):
                        found[name] = made if isinstance(made, Made) else NO_APP
        return found

    def classes(self, source: Source) -> list[str]:
        """The classes at this module's top level that are derived from a kind's."""
        return [
            name
            for name, bounds in source.top.bound.items()
            if isinstance(bounds[0].definition, ast.ClassDef) and isinstance(self.named(source.top, name), Class)
        ]

    def _holds_an_app(self, source: Source, function: Function) -> bool:
        inside = source.inside(function, source.top)
        held = [value for values in inside.held.values() for value in values]
        several = [one for value in inside.returns if isinstance(value, ast.Tuple) for one in value.elts]
        values = (self.value(inside, value) for value in (*held, *several))
        return any(isinstance(value, Made) and value.kind for value in values)

    def result(self, factory: Factory, item: int | None = None) -> Value | None:
        """What a function returns; of a tuple the `item`."""
        inside = factory.scope.source.inside(factory.node, factory.scope)
        values = (self._item(inside, node, item) for node in inside.returns)
        found = _best(values)
        if isinstance(found, Made) and found.kind:
            return found
        return self._annotated(factory.scope, factory.node.returns, factory.node.lineno, item) or found

    # --- names ---

    def _name(self, scope: Scope, name: str) -> Value | None:
        found = _best(self._bound(scope, bound) for bound in scope.bound.get(name, ()))
        if found is None and name not in scope.bound:
            if scope.above is None:
                return _best(self._import(scope, replace(star, name=name)) for star in scope.stars)
            return self._parameter(scope, name) or self.named(scope.above, name)
        return replace(found, holders=(*found.holders, (scope, name))) if isinstance(found, Made) else found

    def _bound(self, scope: Scope, bound: Bound) -> Value | None:
        if bound.imported:
            return self._import(scope, bound.imported)
        if isinstance(bound.definition, ast.ClassDef):
            bases = (self.value(scope, base) for base in bound.definition.bases)
            return next((base for base in bases if isinstance(base, Class)), OwnClass(scope, bound.definition))
        if bound.definition:
            return Factory(scope, bound.definition)
        found = self._item(scope, bound.value, bound.item) if bound.value else None
        if isinstance(found, Made) and found.kind:
            return found
        return self._annotated(scope, bound.annotation, bound.line, None) or found

    def _parameter(self, scope: Scope, name: str) -> Value | None:
        """What a function's parameter is, as it is annotated."""
        above = scope.above or scope
        for argument in _parameters(scope.function):
            if argument.arg == name:
                found = self._annotated(above, argument.annotation, argument.lineno, None)
                return replace(found, holders=((scope, name),)) if isinstance(found, Made) else None
        return None

    def _import(self, scope: Scope, imported: Imported) -> Value | None:
        file = scope.source.file
        near, module = self.finder.absolute(file, imported.module, imported.level)
        if near is None:
            found = self.finder.find(file, module)
            if found is None:
                return _library(f"{module}.{imported.name}" if imported.name else module)
            near, path = found
        else:
            path = self.finder.at(near, module)
        package = Module(module, near, path)
        return self._of_module(package, imported.name) if imported.name else package

    def _of_module(self, module: Module, name: str) -> Value | None:
        source = self.source(module.file) if module.file else None
        if source and (name in source.top.bound or source.top.stars):
            found = self.named(source.top, name)
            if found is not None or name in source.top.bound:
                return found
        below = f"{module.name}.{name}" if module.name else name
        path = self.finder.at(module.near, below)
        return Module(below, module.near, path) if path or self.finder.is_folder(module.near, below) else None

    # --- expressions ---

    def _value(self, scope: Scope, node: ast.expr) -> Value | None:  # noqa: PLR0911 - one for each kind of expression
        match node:
            case ast.Name():
                return self.named(scope, node.id)
            case ast.Attribute() | ast.Subscript():
                return self._attribute(scope, node)
            case ast.Call():
                return self._call(scope, node, None)
            case ast.IfExp():
                return _best(self.value(scope, one) for one in (node.body, node.orelse))
            case ast.BoolOp():
                return _best(self.value(scope, one) for one in node.values)
            case ast.NamedExpr() | ast.Await():
                return self.value(scope, node.value)
        return None

    def _item(self, scope: Scope, node: ast.expr, item: int | None) -> Value | None:
        if item is None:
            return self.value(scope, node)
        if isinstance(node, (ast.Tuple, ast.List)):
            return self.value(scope, node.elts[item]) if item < len(node.elts) else None
        return self._call(scope, node, item) if isinstance(node, ast.Call) else None

    def _attribute(self, scope: Scope, node: ast.Attribute | ast.Subscript) -> Value | None:
        owner = self.value(scope, node.value)
        if isinstance(node, ast.Attribute):
            match owner:
                case Module():
                    return self._of_module(owner, node.attr)
                case Library():
                    return _library(f"{owner.name}.{node.attr}")
                case Made() if node.attr == "_get_current_object":
                    return owner
        root = _root(node)
        whole = ast.unparse(node)
        holder = self.named(scope, root.id) if isinstance(root, ast.Name) else self.value(scope, root)
        if isinstance(holder, Made):
            rest = whole[len(ast.unparse(root)) :]
            names = [*holder.holders, *(((scope, root.id),) if isinstance(root, ast.Name) else ())]
            found = _best(self._held(there, name, rest) for there, name in names)
            if found:
                return found
        return Made(CELERY, Origin("flask", 0)) if whole.endswith(_KEPT_BY_FLASK) else None

    def _held(self, scope: Scope, name: str, rest: str) -> Value | None:
        """What was assigned to NAME.rest in this scope, or in a function that the object was given to there."""
        found = _best(self.value(scope, value) for value in scope.held.get(name + rest, ()))
        if found:
            return found
        for call in scope.calls:
            if (place := _given(call, name)) is None:
                continue
            function = self.value(scope, call.func)
            if isinstance(function, Factory) and (parameter := _parameter_at(function.node, place)):
                inside = function.scope.source.inside(function.node, function.scope)
                found = self._once((id(inside), f"{parameter}{rest}"), partial(self._held, inside, parameter, rest))
                if found:
                    return found
        return None

    def _call(self, scope: Scope, node: ast.Call, item: int | None) -> Value | None:
        match self.value(scope, node.func):
            case Class(kind):
                return Made(kind, Origin(scope.source.file, node.lineno), node)
            case OwnClass() as own:
                return Made(None, Origin(scope.source.file, node.lineno), node, tuple(_selves(own)))
            case Factory() as factory:
                found = self.result(factory, item)
                return found or self._passed_through(scope, node, factory)
            case Made() as made if isinstance(node.func, ast.Attribute) and node.func.attr == "_get_current_object":
                return made
            case Library("typing.cast") if len(node.args) == 2:
                return self._annotated(scope, node.args[0], node.lineno, None) or self.value(scope, node.args[1])
        return Made(None, Origin(scope.source.file, node.lineno), node)

    def _passed_through(self, scope: Scope, node: ast.Call, factory: Factory) -> Value | None:
        """The argument that the function gives back: `app = configured(Celery())`."""
        inside = factory.scope.source.inside(factory.node, factory.scope)
        names = {value.id for value in inside.returns if isinstance(value, ast.Name)}
        for place, argument in _arguments(node):
            if _parameter_at(factory.node, place) in names:
                return self.value(scope, argument)
        return None

    def _annotated(self, scope: Scope, node: ast.expr | None, line: int, item: int | None) -> Value | None:
        """An app of the class that an annotation names: `Celery`, `"Celery"`, `Celery | None`, `tuple[int, Celery]`."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except UNREADABLE:
                return None
        if item is not None:
            inner = node.slice if isinstance(node, ast.Subscript) else None
            elements = inner.elts if isinstance(inner, ast.Tuple) else []
            return self._annotated(scope, elements[item], line, None) if item < len(elements) else None
        match node:
            case ast.Name() | ast.Attribute():
                found = self.value(scope, node)
                return Made(found.kind, Origin(scope.source.file, line)) if isinstance(found, Class) else None
            case ast.BinOp():
                return self._annotated(scope, node.left, line, None) or self._annotated(scope, node.right, line, None)
            case ast.Subscript() if not isinstance(node.slice, ast.Tuple):  # Optional, Annotated has more
                return self._annotated(scope, node.slice, line, None)
        return None


def _best(values: Iterable[Value | None]) -> Value | None:
    """The first that is an app, else the first that is anything."""
    any_: Value | None = None
    for value in values:
        if isinstance(value, Made) and value.kind:
            return value
        any_ = any_ or value
    return any_


def _library(name: str) -> Value | None:
    """What a library's name stands for: a kind's class may be imported from any of its library's modules."""
    package, last = name.partition(".")[0], name.rpartition(".")[2]
    for kind in KINDS:
        if (package, last) == (kind.package, kind.name):
            return Class(kind)
    if name in _CURRENT_APP:
        return Made(CELERY, Origin(CURRENT, 0))
    return Library(name)


def _selves(own: OwnClass) -> Iterator[tuple[Scope, str]]:
    """What the methods of a class call its instance."""
    for method in own.node.body:
        if isinstance(method, Function) and method.args.args:
            yield own.scope.source.inside(method, own.scope), method.args.args[0].arg


def _root(node: ast.expr) -> ast.expr:
    """What the attributes and items are of."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node


def _given(call: ast.Call, name: str) -> int | str | None:
    """As which argument a call gets what has this name."""
    names = ((place, value) for place, value in _arguments(call) if isinstance(value, ast.Name))
    return next((place for place, value in names if value.id == name), None)


def _arguments(call: ast.Call) -> Iterator[tuple[int | str, ast.expr]]:
    yield from enumerate(call.args)
    yield from ((word.arg or "", word.value) for word in call.keywords)


def _parameters(function: Function | None) -> list[ast.arg]:
    arguments = function.args if function else None
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs] if arguments else []


def _parameter_at(function: Function, place: int | str) -> str:
    """The parameter that gets the argument at this place, or of this name; empty if there is none."""
    names = [parameter.arg for parameter in _parameters(function)]
    if isinstance(place, str):
        return place if place in names else ""
    return names[place] if place < len(names) else ""
