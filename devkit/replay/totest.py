"""A failure as a pytest test: to keep, once it is mended, so that it stays so."""

import ast
import builtins
import keyword
import re
import sys
import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from devkit.errors import UsageError
from devkit.model.failure import Failure
from devkit.model.secret import MASK, is_secret
from devkit.model.text import cells, one_line, printable
from devkit.model.wire import CallSource, Outcome
from devkit.replay import files
from devkit.replay.case import masked_names
from devkit.replay.code import STEP, WIDTH, laid_out, quoted
from devkit.replay.compare import READ, TIME_LIMITS, normal
from devkit.replay.harmless import MAKERS, is_dotted, is_import, is_name, is_plain, is_test
from devkit.replay.hide import hide_passwords

LARGEST = 100_000  # characters of code that somebody may still review
MATCHED = 50  # characters of a message
SHOWN = 200
# What literals of values are made of.
KNOWN = {
    "datetime": "import datetime",
    "zoneinfo": "import zoneinfo",
    "Decimal": "from decimal import Decimal",
    "UUID": "from uuid import UUID",
}
# A test of these would end pytest, or wait as long as the task did.
ENDS = (*TIME_LIMITS, "WorkerLostError", "Terminated")


def write_test(literals: CallSource, outcome: Outcome, failure: Failure, path: Path, *, with_secrets: bool) -> None:
    """Write the test. Raises UsageError where that is not possible, DevkitError where writing fails."""
    if (names := secrets(literals, failure)) and not with_secrets:
        raise UsageError(
            f"what is secret by its name would stand in the test: {', '.join(names)}",
            mend=["give made-up arguments: --args, --kwargs", "or write it as it is: --with-secrets"],
        )
    if path.suffix != ".py":
        raise UsageError(f"{path} is no Python file", mend=["name one that pytest finds: test_….py"])
    files.check_folder(path)
    if path.exists():
        raise UsageError(f"{path} is there already", mend=["name another file"])
    files.write(path, source(literals, outcome, failure))


def source(literals: CallSource, outcome: Outcome, failure: Failure) -> str:
    """The file's text. Raises UsageError where there is no test of that.

    Whatever is in a record, or comes from the project's process, becomes no code: names are names, values literals.
    """
    size = sum(map(len, [*literals["args"], *literals["kwargs"].values()]))
    if size > LARGEST:
        raise UsageError(
            f"the arguments are {size:,} characters of code: that is no test to read",
            mend=["save the case, and replay that: --save FILE"],
        )
    ended = _last(outcome.get("exception") or "")
    if ended in ENDS:
        raise UsageError(
            f"it still ends with {ended}: a test of that would wait as long, or end pytest itself",
            mend=["save the case, and replay that: --save FILE"],
        )
    try:
        test = _Test(literals, outcome, failure)
        if test.is_harmless(text := test.text()):
            return text
    except (SyntaxError, RecursionError, MemoryError):  # what Python's parser says to hundreds of brackets
        raise UsageError(
            "the arguments are nested too deep to be written as code",
            mend=["save the case, and replay that: --save FILE"],
        ) from None
    raise _no_code("the test would run more than the task")


def secrets(literals: CallSource, failure: Failure) -> list[str]:
    """The names of arguments with real secrets in them."""
    given = [*zip(failure.names, literals["args"], strict=False), *literals["kwargs"].items()]
    return [
        name
        for name, code in given
        if code not in ("None", "''", '""') and MASK not in code
        if is_secret(name) or any(map(is_secret, re.findall(r"""['"]([^'"]*)['"]\s*:""", code)))
    ]


class _Test:
    """One test in the making; what its lines use is imported as they are made."""

    def __init__(self, literals: CallSource, outcome: Outcome, failure: Failure) -> None:
        self._literals, self._outcome, self._failure = literals, outcome, failure
        self._ignored = outcome["state"] == "IGNORED"
        self._imports: set[str] = set()
        if not all(is_import(line) for line in literals["imports"]):
            raise _no_code("what the arguments import is no name")
        self._known = KNOWN | {_imported_name(line): line for line in literals["imports"]}
        self._calls = {"type", "pytest.raises", "re.escape"}  # all that the test may call, besides what makes values
        self._names = {"result", "expected", "caught", "type"}
        self._taken = {"re", "pytest", "result", "expected", "caught", *self._known, *dir(builtins), *keyword.kwlist}

    def text(self) -> str:
        """The whole file."""
        task, raised = _word(_last(self._failure.task)), _word(_snake(_last(self._failure.exception)))
        name = re.sub("__+", "_", f"test_{task}_{raised}").rstrip("_")
        function = self._function()
        self._calls |= {function, f"{function}.apply"}
        body = self._body(function)
        setup = [] if self._is_importable() else [f"{STEP}{self._loader()}()"]
        head = [f'"""{self._docstring()}"""', "", *self._import_lines(), "", ""]
        return "\n".join([*head, f"def {name}() -> None:", *self._warnings(), *setup, *body, ""])

    def is_harmless(self, text: str) -> bool:
        """Whether the file does no more than it is made to."""
        values = {name.partition(".")[0] for name in (*MAKERS, *self._known)}
        imported = {_imported_name(line) for line in self._imports}
        return is_test(text, self._names | values | imported, self._calls)

    def _function(self) -> str:
        """The task, as code."""
        if self._is_importable():
            return self._imported(self._literals["module"], self._literals["name"] or "")
        return f"{self._app()}.tasks[{quoted(self._literals['task'])}]"

    def _is_importable(self) -> bool:
        name = self._literals["name"] or ""
        return bool(name) and is_dotted(self._literals["module"]) and is_dotted(name)

    def _loader(self) -> str:
        loader = f"{self._app()}.loader.import_default_modules"
        self._calls.add(loader)
        return loader

    def _app(self) -> str:
        module, attribute = self._literals["app"]
        if not (is_dotted(module) and is_dotted(attribute)):
            raise _no_code(f"{module}:{attribute} cannot be imported by name")
        return self._imported(module, attribute)

    def _imported(self, module: str, name: str) -> str:
        """The name by which the file knows this one; pytest would take what is named like a test for one."""
        first, dot, rest = name.partition(".")
        known = first
        if first in self._taken or first.lower().startswith("test"):
            known = f"The{first}" if first[0].isupper() else f"the_{first}"
        self._imports.add(f"from {module} import {first}" + (f" as {known}" if known != first else ""))
        return f"{known}{dot}{rest}"

    def _call(self, function: str) -> str:
        """A bound task looks at its request, which only `apply` fills."""
        args, kwargs = self._literals["args"], self._literals["kwargs"]
        if not all(map(self._uses, [*args, *kwargs.values()])):
            raise _no_code("an argument is no plain value")
        plain = all(is_name(name) and name != "__debug__" for name in kwargs)
        if not self._literals["bound"]:
            pairs = ", ".join(f"{quoted(name)}: {code}" for name, code in kwargs.items())
            named = [f"{name}={code}" for name, code in kwargs.items()] if plain else [f"**{{{pairs}}}"]
            return f"{function}({', '.join([*args, *named])})"
        given = [f"args=[{', '.join(args)}]"] if args else []
        if kwargs:
            given.append(f"kwargs={{{', '.join(f'{quoted(name)}: {code}' for name, code in kwargs.items())}}}")
        if self._failure.retries:
            given.append(f"retries={self._failure.retries}")
        return f"{function}.apply({', '.join(given)})"

    def _uses(self, code: str) -> bool:
        """Import what a literal needs; whether it is one."""
        if not is_plain(code, self._known):
            return False
        names = {node.id for node in ast.walk(ast.parse(code, mode="eval")) if isinstance(node, ast.Name)}
        self._imports.update(self._known[name] for name in names & self._known.keys())
        return True

    def _body(self, function: str) -> list[str]:
        bound, state = self._literals["bound"], self._outcome["state"]
        call = self._call(function)
        if bound and state in ("REJECTED", "IGNORED"):  # apply raises nothing then
            return [laid_out(f"{call}.state", STEP, "result = "), "", f'{STEP}assert result == "{state}"']
        value = f"{call}.get()" if bound else call
        if state == "SUCCESS":
            return self._passes(value)
        lines = self._raises()
        if not self._ignored:
            lines.insert(0, f"{STEP}# Once it is mended, without pytest.raises: assert … == the right result")
        at = 1 if self._ignored else 2
        return [*lines[:at], laid_out(value, STEP * 2), *lines[at:]]

    def _passes(self, value: str) -> list[str]:
        literal = self._outcome.get("result_literal")
        if literal is None or "nan" in literal or len(literal) > LARGEST or not self._uses(literal):
            text = one_line(str(self._outcome.get("result")), SHOWN)
            comment = f"What it returns cannot be written down. Say here what is right about it: {text}"
            return [*_comment(comment), laid_out(value, STEP, "result = "), "", f"{STEP}assert result is not None"]
        sign = "is" if literal in ("None", "True", "False") else "=="
        one = f"{STEP}assert {laid_out(value)} {sign} {laid_out(literal)}"
        if "\n" not in one and cells(one) <= WIDTH:
            return [one]
        expected = laid_out(literal, STEP, "expected = ")
        return [expected, "", laid_out(value, STEP, "result = "), "", f"{STEP}assert result {sign} expected"]

    def _raises(self) -> list[str]:
        """The line with pytest.raises, and what is to check below it."""
        self._imports.add("import pytest")
        below: list[str] = []
        kind, caught = "Exception", ""
        name = self._outcome.get("exception") or ("celery.exceptions.Ignore" if self._ignored else "")
        if place := self._importable(name):
            kind = place[1] if place[0] == "builtins" else self._imported(*place)
        elif is_name(_last(name)):
            caught = " as caught"
            below = ["", f"{STEP}assert type(caught.value).__name__ == {quoted(_last(name))}"]
        self._names.add(kind.partition(".")[0])
        match = self._match()
        raises = f"pytest.raises({kind}{f', match={match}' if match else ''})"
        return [laid_out(raises, STEP, "with ", f"{caught}:"), *below]

    def _importable(self, name: str) -> tuple[str, str] | None:
        """The module of an exception, and its name there; what fails now may be another one than then."""
        known = self._literals["exception"]
        if not is_dotted(name):
            return None
        if known and name in (f"{known['module']}.{known['name']}", f"{known['name']}") and is_dotted(known["module"]):
            return known["module"], known["name"]
        if _is_exception(getattr(builtins, name, None)):
            return "builtins", name
        module, _, last = name.rpartition(".")
        return (module, last) if module == "celery.exceptions" else None

    def _match(self) -> str:
        """The message as a pattern, if it is the same each time; of a long one the start."""
        message = (self._outcome.get("message") or "")[:READ].strip()
        if not message or normal(message) != message or self._failure.id in message:
            return ""
        start = message.splitlines()[0]
        if len(start) > MATCHED:
            start = start[:MATCHED].rpartition(" ")[0] or start[:MATCHED]
        if re.search(r"[.^$*+?{}\[\]\\|()]", start) is None:
            return quoted(start)
        self._imports.add("import re")
        return f"re.escape({quoted(start)})"

    def _docstring(self) -> str:
        failure = self._failure
        when = datetime.fromtimestamp(failure.failed_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        message = f": {one_line(hide_passwords(failure.message), SHOWN)}" if failure.message else ""
        shown = one_line(failure.id, SHOWN), one_line(failure.exception, SHOWN)
        text = f"Task {shown[0]} failed on {when} UTC with {shown[1]}{message}"
        if failure.revision:
            text += f"\nThe code was git revision {one_line(failure.revision, SHOWN)}."
        first = f"{one_line(failure.task, SHOWN)} as it failed once."
        wrapped = [part for line in text.split("\n") for part in _wrapped(line, WIDTH)]
        return "\n".join([first, "", *wrapped, ""]).replace("\\", "\\\\").replace('"""', "'''")

    def _warnings(self) -> list[str]:
        lines: list[str] = []
        if masked := masked_names(self._failure):
            lines += _comment(f"These arguments were masked, put made-up ones in their place: {masked}")
        if secret := secrets(self._literals, self._failure):
            lines += _comment(f"These are as they arrived, put made-up ones in their place: {', '.join(secret)}")
        return lines

    def _import_lines(self) -> list[str]:
        """In three groups: the standard library's, others', the project's own."""
        frames = [*self._failure.frames]
        own = {
            self._literals["app"][0],
            self._literals["module"] or "",
            *(frame.module for frame in frames if frame.own),
        }
        roots = {name.partition(".")[0] for name in own}
        groups: list[list[str]] = [[], [], []]
        for line in self._imports:
            root = line.split()[1].partition(".")[0]
            groups[2 if root in roots else 0 if root in sys.stdlib_module_names else 1].append(line)
        lines: list[str] = []
        for group in filter(None, groups):
            lines += ["", *_sorted(group)] if lines else _sorted(group)
        return lines


def _no_code(why: str) -> UsageError:
    return UsageError(f"no test can be written of this: {why}", mend=["save the case, and replay that: --save FILE"])


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _imported_name(line: str) -> str:
    """The name that an import line makes known."""
    return line.rpartition("import ")[2].rpartition(" as ")[2].partition(".")[0]


def _sorted(lines: Iterable[str]) -> list[str]:
    """Plain imports first; what comes from one module in one line, but for what gets another name."""
    plain = sorted(line for line in lines if line.startswith("import "))
    modules: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        if line.startswith("from "):
            module, _, names = line.removeprefix("from ").partition(" import ")
            renamed = names if " as " in names else ""
            modules.setdefault((module, renamed), set()).update(names.split(", "))
    return plain + [_from(key[0], sorted(names)) for key, names in sorted(modules.items())]


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"{STEP}{name}," for name in names), ")"])


def _comment(text: str) -> list[str]:
    return [f"{STEP}# {line}" for line in _wrapped(printable(" ".join(text.split())), WIDTH - len(STEP) - 2)]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _word(text: str) -> str:
    return "".join(char if is_name(f"_{char}") else "_" for char in text.lower())


def _snake(name: str) -> str:
    """`ZeroDivisionError` as `zero_division_error`, `HTTPError` as `http_error`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
