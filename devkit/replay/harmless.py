"""What stands in written code and comes from elsewhere: names and plain values, and nothing that would run."""

import ast
import keyword
import unicodedata
from collections.abc import Iterable

# The calls that literals of values are made of.
MAKERS = (
    "float", "set", "frozenset", "Decimal", "UUID", "zoneinfo.ZoneInfo",
    *(f"datetime.{kind}" for kind in ("date", "time", "datetime", "timedelta", "timezone")),
)  # fmt: skip
# All that a written test consists of. Code that came in with a text has a statement, a name or a call of its own.
NODES = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.Import, ast.ImportFrom, ast.alias, ast.With, ast.withitem,
    ast.Assign, ast.Assert, ast.Compare, ast.Eq, ast.Is, ast.IsNot, ast.Expr, ast.Call, ast.keyword, ast.Attribute,
    ast.Subscript, ast.Name, ast.Load, ast.Store, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp,
    ast.USub,
)  # fmt: skip


def is_name(text: str) -> bool:
    """Whether Python reads this as one name, and as this one: it takes `ﬁnd` for `find`."""
    return text.isidentifier() and not keyword.iskeyword(text) and unicodedata.normalize("NFKC", text) == text


def is_dotted(text: str) -> bool:
    """Whether it is a name, or several with dots between them."""
    return all(map(is_name, text.split(".")))


def is_import(line: str) -> bool:
    """Whether it imports one name, or one module, and does nothing else."""
    match line.split(" "):
        case ["import", module]:
            return is_dotted(module)
        case ["from", module, "import", name]:
            return is_dotted(module) and is_name(name)
    return False


def is_plain(code: str, known: Iterable[str]) -> bool:
    """Whether an expression is a literal of a value; `known` are the names of modules and of enums in it.

    Raises SyntaxError, RecursionError or MemoryError for one that Python cannot read.
    """
    try:
        return _is_plain(ast.parse(code, mode="eval").body, frozenset(known))
    except ValueError:  # of characters that no source has
        return False


def _is_plain(node: ast.expr, known: frozenset[str]) -> bool:
    match node:
        case ast.Constant() | ast.UnaryOp(ast.USub(), ast.Constant()):
            return True
        case ast.List(items) | ast.Tuple(items) | ast.Set(items):
            return all(_is_plain(item, known) for item in items)
        case ast.Dict(keys, values):
            return all(key is not None and _is_plain(key, known) for key in [*keys, *values])
        case ast.Call(function, args, keywords):
            named = all(item.arg is not None for item in keywords)
            given = [*args, *(item.value for item in keywords)]
            return named and ast.unparse(function) in MAKERS and all(_is_plain(item, known) for item in given)
        case ast.Attribute():  # an enum's member, datetime.timezone.utc
            name = ast.unparse(node)
            return is_dotted(name) and name.partition(".")[0] in known
    return False


def is_test(text: str, names: Iterable[str], calls: Iterable[str]) -> bool:
    """Whether a file is imports and one test that knows but these names, and calls but these, and makers of values."""
    tree = ast.parse(text)
    compile(tree, "<test>", "exec", dont_inherit=True)  # it finds more than the parser
    match tree.body:
        case [ast.Expr(ast.Constant(str())), *imports, ast.FunctionDef(args=given, decorator_list=[]) as test]:
            nodes = list(ast.walk(test))
        case _:
            return False
    known, called = {*names}, {ast.dump(ast.parse(code, mode="eval").body) for code in [*calls, *MAKERS]}
    return (
        all(isinstance(node, NODES) for node in ast.walk(tree))
        and all(isinstance(node, ast.Import | ast.ImportFrom) for node in imports)
        and ast.dump(given) == ast.dump(ast.parse("def f(): pass").body[0].args)  # type: ignore[attr-defined]
        and not any(isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom) for node in nodes[1:])
        and all(node.id in known for node in nodes if isinstance(node, ast.Name))
        and all(isinstance(node.ctx, ast.Load) for node in nodes if isinstance(node, ast.Attribute | ast.Subscript))
        and all(_is_called(node.func, called) for node in nodes if isinstance(node, ast.Call))
    )


def _is_called(function: ast.expr, called: set[str]) -> bool:
    match function:
        case ast.Attribute(ast.Call(), "get"):  # the result of what `apply` has run
            return True
    return ast.dump(function) in called
