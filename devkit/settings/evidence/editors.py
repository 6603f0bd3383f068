"""What an editor runs: VS Code's launch.json and tasks.json, PyCharm's run configurations."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from devkit.settings.evidence.piece import Piece

# A string, or what JSON does not know: a comment, a comma before a closing bracket.
_LENIENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/|,(?=\s*[\]}])', re.DOTALL)
_WORKSPACE = re.compile(r"\$\{workspace(?:Folder|Root)(?::[^}]*)?\}[/\\]?")
_CONFIGURATION = re.compile(r"<configuration\b[^>]*>.*?</configuration>", re.DOTALL)
_OPTION = re.compile(r'<option\s+name="(\w+)"\s+value="([^"]*)"')
_ENV = re.compile(r'<env\s+name="(\w+)"\s+value="([^"]*)"')


def vscode(_file: Path, text: str) -> Iterator[Piece]:
    """Configurations of launch.json, tasks of tasks.json; both have comments."""
    try:
        document = json.loads(_LENIENT.sub(lambda found: found[1] or "", _LENIENT.sub(_no_comment, text)))
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    for one in [*_list(document, "configurations"), *_list(document, "tasks")]:
        options = one["options"] if isinstance(one.get("options"), dict) else one
        name = str(one.get("name") or one.get("label") or "")
        words = _words(one)
        if words:
            folder = _WORKSPACE.sub("", str(options.get("cwd") or ""))
            environ = {key: str(value) for key, value in _dict(options, "env").items()}
            shell = isinstance(one.get("command"), str) and not one.get("args")
            line = _line_of(name, text)
            yield Piece(words[0] if shell else tuple(words), line, name, folder, environ)


def pycharm(_file: Path, text: str) -> Iterator[Piece]:
    for found in _CONFIGURATION.finditer(text):
        options = {name: html.unescape(value) for name, value in _OPTION.findall(found[0])}
        name = re.search(r'\bname="([^"]*)"', found[0])
        script = options.get("SCRIPT_NAME") or options.get("MODULE_NAME") or ""
        if script:
            module = options.get("MODULE_MODE") == "true" or "SCRIPT_NAME" not in options
            words = f"python {'-m ' if module else ''}{_project(script)} {options.get('PARAMETERS', '')}"
            environ = {key: html.unescape(value) for key, value in _ENV.findall(found[0])}
            line = text.count("\n", 0, found.start()) + 1
            folder = _project(options.get("WORKING_DIRECTORY", ""))
            yield Piece(words, line, name[1] if name else "", folder, environ)


def _no_comment(found: re.Match[str]) -> str:
    """Comments go first: one may stand between a comma and its bracket."""
    return found[1] or ("," if found[0] == "," else "")


def _project(path: str) -> str:
    return path.replace("$PROJECT_DIR$/", "").replace("$PROJECT_DIR$", ".")


def _words(one: Mapping[str, Any]) -> list[str]:
    args = one.get("args") or []
    args = args if isinstance(args, list) else [args]
    if one.get("django") and not one.get("program"):
        return []
    if module := one.get("module"):
        head = ["python", "-m", str(module)]
    elif program := one.get("program"):
        head = ["python", _WORKSPACE.sub("", str(program))]
    else:
        head = [str(one["command"])] if isinstance(one.get("command"), str) else []
    return [*head, *(_WORKSPACE.sub("", str(arg)) for arg in args)] if head else []


def _dict(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _list(value: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = value.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _line_of(name: str, text: str) -> int:
    at = text.find(json.dumps(name)) if name else -1
    return text.count("\n", 0, at) + 1 if at >= 0 else 1
