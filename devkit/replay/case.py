"""A saved case: one failure as one JSON file, to read, commit, mail, and replay where no store is.

Arguments in JSON stand in it as they are, for people to read and to edit; others as base64.
"""

import base64
import binascii
import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from devkit.errors import UsageError
from devkit.model.failure import SCHEMA, Failure, Unreadable
from devkit.model.secret import MASK, is_secret
from devkit.model.text import ODD
from devkit.replay import files
from devkit.replay.hide import Mask

VERSION = 1
JSON = "application/json"
MASKED = "masked when it was saved: "  # begins the limit that names these arguments
WIDTH = 100
MANY = 1000  # so many items nobody reads: they stay on one line
LATEST = 10**11  # seconds since the epoch that are still a date
# Headers that say which run of which task it is.
IDENTITY = {"id", "task", "lang", "root_id", "parent_id", "group", "origin"}


def save(failure: Failure, path: Path, *, with_secrets: bool) -> tuple[str, ...]:
    """Write the case, in place of an earlier one of the same task; returns the names of what was masked in it.

    Raises UsageError, or DevkitError where it cannot be written.
    """
    files.check_folder(path)
    if path.exists() and not _is_case_of(path, failure.id):
        raise UsageError(f"{path} is there already, and no case of this task", mend=["name another file"])
    arguments = _arguments(failure)
    if arguments is None and failure.body is not None and not with_secrets:
        kind = failure.content_type or "no known type"
        raise UsageError(
            f"the arguments are {kind}: nothing can be masked in them",
            mend=["save the case as it is, for your eyes only: --with-secrets"],
        )
    mask = Mask()
    try:
        text = _text(failure, arguments, mask, with_secrets)
    except RecursionError:
        raise UsageError("the arguments are nested too deep for a file that people read") from None
    files.write(path, text)
    return tuple(mask.names)


def load(path: Path) -> Failure:
    """Read a saved case. Raises UsageError where there is no such file, Unreadable where it is no whole case."""
    data = _parsed(path)
    if not isinstance(data, dict) or type(data.get("devkit_case")) is not int:
        raise Unreadable("it is no saved case")
    if data["devkit_case"] != VERSION:
        raise Unreadable(f"it is a case of version {data['devkit_case']}: a newer devkit wrote it")
    lines = data.get("traceback")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Unreadable("it is not whole: its traceback is no list of lines")
    body = _body(data)
    kind = {"content_type": JSON, "content_encoding": "utf-8"} if "args" in data else {}
    wire = {**data, **kind, "schema": SCHEMA, "traceback": "\n".join(lines)}
    failure = replace(Failure.from_wire(wire, body), source="file")
    if not 0 <= failure.failed_at < LATEST or not 0 <= (failure.started_at or 0) < LATEST:
        raise Unreadable("it is not whole: its times are none")
    return failure


def masked_names(failure: Failure) -> str:
    """Which of the arguments are masked, as text; empty where none is."""
    return ", ".join(limit.removeprefix(MASKED) for limit in failure.limits if limit.startswith(MASKED))


def _text(failure: Failure, arguments: dict[str, Any] | None, mask: Mask, with_secrets: bool) -> str:
    """The file's text; `arguments` are a JSON body's parts, which `mask` gets to know."""
    data = failure.to_wire()
    del data["schema"]
    if not with_secrets:
        arguments, data = _masked(arguments, data, failure, mask)
    _hide_in_texts(data, mask)
    data["traceback"] = data["traceback"].split("\n")
    if arguments is None and failure.body is not None:
        arguments = {"body": base64.b64encode(failure.body).decode()}
    head = {"devkit_case": VERSION, "task": data.pop("task"), "id": data.pop("id")}
    return ODD.sub(_escaped, _readable({**head, **(arguments or {}), **data})) + "\n"


def _arguments(failure: Failure) -> dict[str, Any] | None:
    """A JSON body's parts by their names; None for any other body."""
    if failure.body is None or failure.content_type != JSON:
        return None
    with suppress(ValueError, LookupError, RecursionError):
        match json.loads(failure.body.decode(failure.content_encoding or "utf-8")):
            case [list(args), dict(kwargs), dict(embed)]:
                return {"args": args, "kwargs": kwargs, "embed": embed}
    return None


def _masked(
    arguments: dict[str, Any] | None, data: dict[str, Any], failure: Failure, mask: Mask
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The arguments and the record without secrets, which `mask` then knows."""
    parts = {name: data[name] for name in ("headers", "properties", "delivery_info")}
    parts = {name: mask.by_name(part, name) for name, part in parts.items()}
    names = [
        *failure.names,
        *(f"args[{at}]" for at in range(len(failure.names), len((arguments or {}).get("args", [])))),
    ]
    if arguments is not None:
        arguments = {
            "args": [mask.by_name(value, name, name) for name, value in zip(names, arguments["args"], strict=False)],
            "kwargs": {name: mask.by_name(value, name, name) for name, value in arguments["kwargs"].items()},
            "embed": mask.by_name(arguments["embed"], "embed"),
        }
    mask.look_for_found(len(failure.body or b"") + len(failure.traceback))
    parts = {
        name: {
            key: value if key in IDENTITY else mask.everywhere(value, f"{name}.{key}") for key, value in part.items()
        }
        for name, part in parts.items()
    }
    if arguments is not None:
        arguments = {
            "args": [mask.everywhere(value, name) for name, value in zip(names, arguments["args"], strict=False)],
            "kwargs": {name: mask.everywhere(value, name) for name, value in arguments["kwargs"].items()},
            "embed": mask.everywhere(arguments["embed"], "embed"),
        }
    if mask.names:
        for name in ("argsrepr", "kwargsrepr"):  # the sender's, cut anywhere
            parts["headers"].pop(name, None)
            mask.names.pop(f"headers.{name}", None)
        data["limits"] = [*data["limits"], f"{MASKED}{', '.join(mask.names)}"]
    return arguments, {**data, **parts}


def _hide_in_texts(data: dict[str, Any], mask: Mask) -> None:
    """Mask in what is for people only."""
    for name in ("message", "traceback", "call", "missing"):
        data[name] = mask.text(data[name])
    for frame in data["frames"]:
        frame["source"] = mask.text(frame["source"])
        frame["locals"] = {
            name: MASK if is_secret(name) else mask.text(value) for name, value in frame["locals"].items()
        }


def _readable(value: Any, indent: str = "") -> str:
    """JSON in lines that people can read."""
    flat = json.dumps(value, ensure_ascii=False)
    fits = len(indent) + len(flat) <= WIDTH or len(indent) > WIDTH
    if fits or not isinstance(value, list | tuple | dict) or len(value) > MANY:
        return flat
    deeper = f"{indent}  "
    if isinstance(value, dict):
        lines = [
            f"{json.dumps(str(name), ensure_ascii=False)}: {_readable(item, deeper)}" for name, item in value.items()
        ]
    else:
        lines = [_readable(item, deeper) for item in value]
    inner = f",\n{deeper}".join(lines)
    start, end = "{}" if isinstance(value, dict) else "[]"
    return f"{start}\n{deeper}{inner}\n{indent}{end}"


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _parsed(path: Path) -> Any:
    try:
        if path.is_char_device():  # which may have no end
            raise Unreadable("it is a device")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except UnicodeDecodeError:
        raise Unreadable("it is no text") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not text.strip():
            raise Unreadable("it is empty") from None
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            raise Unreadable(f"it is cut short: it ends in line {len(text.splitlines())}") from None
        raise Unreadable(f"it is no JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        raise Unreadable(f"it is more than JSON can be read: {error}") from None


def _body(data: dict[str, Any]) -> bytes | None:
    if "args" in data:
        parts = [data["args"], data.get("kwargs"), data.get("embed", {})]
        if [type(part) for part in parts] != [list, dict, dict]:
            raise Unreadable("it is not whole: args is to be a list, kwargs and embed are to be objects")
        try:
            return json.dumps(parts).encode()
        except RecursionError:
            raise Unreadable("its arguments are nested too deep") from None
    if "body" not in data:
        return None
    try:
        return base64.b64decode(data["body"], validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Unreadable("it is not whole: its body is no base64") from None


def _is_case_of(path: Path, task_id: str) -> bool:
    with suppress(Unreadable, UsageError):
        data = _parsed(path)
        return isinstance(data, dict) and "devkit_case" in data and data.get("id") == task_id
    return False
