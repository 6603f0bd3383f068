"""Python expressions as lines of code, laid out as formatters lay them out."""

import ast

from devkit.model.text import cells

WIDTH = 88
STEP = "    "


def laid_out(expression: str, indent: str = "", before: str = "", after: str = "") -> str:
    """The expression as code, `before` and `after` it on its first and last line. Raises SyntaxError."""
    node = _Spelled().visit(ast.parse(expression, mode="eval")).body
    start = f"{indent}{before}"
    flat = _flat(node)
    if before.endswith("= ") and isinstance(node, ast.Name | ast.UnaryOp):
        inner = f"{indent}{STEP}{flat}"
        if cells(start) + cells(flat) + cells(after) > WIDTH >= cells(inner):
            return f"{start}(\n{inner}\n{indent}){after}"
    return start + _shaped(node, indent, cells(start), cells(after)) + after


def _shaped(node: ast.expr, indent: str, used: int, after: int) -> str:
    """The code of a node that begins in column `used`, and is followed by so many characters."""
    flat = _flat(node)
    if used + cells(flat) + after <= WIDTH:
        return flat
    deeper = indent + STEP
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call() as inner, attr=name), args=[], keywords=[]):
            return f"{_shaped(inner, indent, used, after + cells(name) + 3)}.{name}()"
        case ast.Call() if node.args or node.keywords:
            return _call(node, indent)
        case ast.List(items) | ast.Set(items) | ast.Tuple(items) if items:
            start, end = {ast.List: ("[", "]"), ast.Set: ("{", "}"), ast.Tuple: ("(", ")")}[type(node)]
            lines = [f"{deeper}{_shaped(item, deeper, cells(deeper), 1)},\n" for item in items]
            return f"{start}\n{''.join(lines)}{indent}{end}"
        case ast.Dict(keys, values) if keys:
            lines = []
            for key, value in zip(keys, values, strict=True):
                name = f"{_flat(key)}: " if key else "**"
                lines.append(f"{deeper}{name}{_shaped(value, deeper, cells(deeper) + cells(name), 1)},\n")
            return f"{{\n{''.join(lines)}{indent}}}"
    return flat


def _call(node: ast.Call, indent: str) -> str:
    """A call in several lines: all arguments on one line, or else each on its own."""
    deeper = indent + STEP
    function = _flat(node.func)
    if cells(deeper) + cells(line := _arguments(node)) <= WIDTH:
        return f"{function}(\n{deeper}{line}\n{indent})"
    named = [("", item) for item in node.args] + [(_keyword(item), item.value) for item in node.keywords]
    comma = "," if len(named) > 1 else ""
    lines = [
        f"{deeper}{name}{_shaped(item, deeper, cells(deeper) + cells(name), cells(comma))}{comma}\n"
        for name, item in named
    ]
    return f"{function}(\n{''.join(lines)}{indent})"


def _arguments(node: ast.Call) -> str:
    return ", ".join([*map(_flat, node.args), *(f"{_keyword(item)}{_flat(item.value)}" for item in node.keywords)])


def _keyword(item: ast.keyword) -> str:
    return f"{item.arg}=" if item.arg else "**"


def _flat(node: ast.expr) -> str:
    """The code of a node in one line."""
    return ast.unparse(node)


class _Spelled(ast.NodeTransformer):
    """Strings and numbers as formatters write them: as names, which are written as they stand."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        match node.value:
            case str() | bytes():
                return ast.Name(quoted(node.value))
            case float() | complex():
                return ast.Name(repr(node.value).replace("e+", "e"))
        return node


def quoted(value: str | bytes) -> str:
    """The literal, in double quotes unless that takes more escapes."""
    text = repr(value)
    prefix = "b" if isinstance(value, bytes) else ""
    body, quote = text[len(prefix) + 1 : -1], text[-1]
    plain = value.decode("latin-1") if isinstance(value, bytes) else value
    if quote == '"' or plain.count('"') > plain.count("'"):
        return text
    escaped = body.replace("\\'", "'").replace('"', '\\"')
    return f'{prefix}"{escaped}"'
