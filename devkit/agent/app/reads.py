"""Which environment variables source code reads, and where, as far as its text tells."""

import ast
import os
import sys
import traceback
from collections.abc import Iterator, Mapping

from ...model.own import is_own

# What reads a variable by the name that is its first argument: os.getenv("X"), env.str("X"), config("X").
_READERS = ("getenv", "get", "config", "env", "str", "int", "bool", "url", "environ", "path", "float", "list")
_ENVIRONMENTS = ("os", "environ", "env", "config", "getenv", "dotenv", "decouple")
MOST = 40
_NOTHING: "Mapping[tuple[str, str], str]" = {}


def reads_around(frame: "traceback.FrameSummary | None", *, defaults: bool) -> "dict[str, str]":
    """The variables that are not set, of those that the frame's file reads, or one of the project's own modules that it
    imports from: each with its file and line. With `defaults` also those that the code has something in the place of.
    """
    found: dict[str, str] = {}
    for file in _files(frame.filename) if frame else ():
        tree = parsed(file)
        if tree is not None:
            for name, line in [*variables_in(tree, _named(tree), defaults=defaults), *_fields(tree, defaults)]:
                if not os.environ.get(name) and len(found) < MOST:
                    found.setdefault(name, f"{file}:{line}")
    return found


def parsed(file: str) -> "ast.Module | None":
    """The file's syntax tree; None where it has none."""
    try:
        with open(file, encoding="utf-8") as opened:
            return ast.parse(opened.read())
    except (OSError, ValueError, SyntaxError):
        return None


def variables_in(
    tree: ast.AST, named: "Mapping[tuple[str, str], str]" = _NOTHING, *, defaults: bool = False
) -> "Iterator[tuple[str, int]]":
    """The variables read there, with their lines; `named` are the names that attributes of classes stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            alone = len(node.args) == 1 and not any(word.arg == "default" for word in node.keywords)
            called = ast.dump(node.func)
            last = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if (alone or defaults) and last in _READERS and any(f"'{name}'" in called for name in _ENVIRONMENTS):
                yield from _name(node.args[0], named)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and "'environ'" in ast.dump(node.value):
            yield from _name(node.slice, named)


def _files(file: str) -> "list[str]":
    """The file, and those of the project's own modules that it imports."""
    tree = parsed(file)
    if tree is None:
        return []
    by_file = {getattr(module, "__file__", None): name for name, module in list(sys.modules.items())}
    package = by_file.get(file, "").rpartition(".")[0]
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -(node.level - 1) or None] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    found = (getattr(sys.modules.get(name), "__file__", None) for name in names)
    return list(dict.fromkeys([file, *(one for one in found if one and is_own(one, os.getcwd()))]))


def _named(tree: ast.Module) -> "dict[tuple[str, str], str]":
    """The texts that attributes of the file's classes stand for: `class Names: host = "DB_HOST"`."""
    return {
        (kind.name, target.id): node.value.value
        for kind in tree.body
        if isinstance(kind, ast.ClassDef)
        for node in kind.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _name(node: ast.expr, named: "Mapping[tuple[str, str], str]") -> "Iterator[tuple[str, int]]":
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, node.lineno
    elif isinstance(node, ast.Attribute) and (getattr(node.value, "id", ""), node.attr) in named:
        yield named[getattr(node.value, "id", ""), node.attr], node.lineno


def _fields(tree: ast.Module, defaults: bool) -> "Iterator[tuple[str, int]]":
    """Those of pydantic's settings."""
    for kind in ast.walk(tree):
        if isinstance(kind, ast.ClassDef) and any("Settings" in ast.dump(base) for base in kind.bases):
            fields = (node for node in kind.body if isinstance(node, ast.AnnAssign))
            yield from (
                (field.target.id.upper(), field.lineno)
                for field in fields
                if isinstance(field.target, ast.Name) and (defaults or field.value is None)
            )
