"""What a command starts, behind whatever it is wrapped in: `poetry run`, `watchmedo … --`, `bash -c`, `docker exec`.

A wrapper takes the command as its last words, or as one word of its own. So the first word that names a program
counts, with all after it, and no wrapper needs to be known; what has to be known are commands that only speak of it.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from devkit.settings.evidence.options import arguments, is_open
from devkit.settings.evidence.shell import Command, commands
from devkit.settings.evidence.starts import PROGRAMS, Start, starts

# What such a file or command must contain.
MENTION = re.compile(r"celery|uvicorn|gunicorn|hypercorn|daphne|granian|fastapi|flask|flower|\.sh\b|\.py\b")

_NESTED_DEEP = 6
_WORDS = 200  # no start line has more
_LONGEST = 200  # characters of a line that is shown
_ASSIGNMENT = re.compile(r"(?:--env=|-e)?([A-Za-z_]\w*)=(.*)", re.DOTALL)
_KEYWORDS = frozenset(("if", "then", "elif", "else", "while", "until", "do", "{", "}", "!", "fi", "done", "@", "-"))
_SPEAKS = frozenset([
    "echo", "printf", "pip", "pip3", "apt", "apt-get", "apk", "yum", "dnf", "brew", "npm", "yarn", "kill", "pkill",
    "killall", "pgrep", "grep", "egrep", "rg", "ps", "which", "type", "systemctl", "service", "supervisorctl",
    "git", "rm", "cp", "mv", "mkdir", "touch", "cat", "tail", "head", "less", "tee", "ls", "chmod", "chown", "curl",
    "wget", "test", "[", "[[", "sed", "awk", "source", ".", "ln", "tar", "find", "xargs", "alias", "trap", "pytest",
    "mypy", "ruff", "black", "flake8", "isort", "from", "import", "def", "class", "return", "rem", "REM", "::",
])  # fmt: skip
_BRINGS = frozenset(("install", "add", "remove", "uninstall", "upgrade", "show"))
_DOCKER = frozenset(("docker", "docker-compose", "podman", "podman-compose", "nerdctl"))
_DOCKER_SWITCHES = frozenset([
    "-T", "-i", "-t", "-d", "-P", "--rm", "--detach", "--no-deps", "--service-ports", "--privileged",
    "--interactive", "--tty", "--no-TTY", "--build", "--use-aliases", "--remove-orphans", "--init", "--quiet-pull",
])  # fmt: skip
_SHELLS = frozenset(("bash", "sh", "zsh", "dash", "ash", "ksh"))
_PYTHON = re.compile(r"(?:python|pypy|py)[\d.]*w?(?:\.exe)?")
_RUNS_A_FILE = frozenset(("uv", "poetry", "pdm", "pipenv", "hatch", "rye", "run", "debugpy"))
_GOES_THERE = frozenset(("uv", "poetry", "pdm", "env", *_DOCKER))
_SECRET = re.compile(r"(--?[\w-]*(?:auth|passw|secret|token|key)[\w-]*[= ])\S+", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(://[^:@/\s]*):[^@\s]*@")


@dataclass(frozen=True)
class Call:
    """A file of the project's that is run instead: a script, a Python file, or a module by its name.

    `surely`: by a path; else it is a bare word, which may be anything on PATH."""

    name: str
    args: tuple[str, ...] = ()
    module: bool = False
    surely: bool = True
    environ: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    service: str = ""
    text: str = ""
    line: int = 1


def read_text(
    text: str, environ: Mapping[str, str], line: int = 1, args: Sequence[str] = (), deep: int = _NESTED_DEEP
) -> Iterator[Start | Call]:
    """What a shell would start that ran this text. `args` are those that a script is called with."""
    found = list(commands(text, environ, line))
    exported = dict(environ)
    changes: list[tuple[int, str]] = []
    for command in found:
        if not _is_taken(command, found, args):
            continue
        changes = [change for change in changes if change[0] <= command.deep]
        words = _without_keywords(command.words)
        if words[:1] in (["cd"], ["pushd"]) and len(words) > 1:
            changes.append((command.deep, words[1]))
        elif words[:1] == ["export"]:
            exported |= {match[1]: match[2] for match in map(_ASSIGNMENT.fullmatch, words[1:]) if match}
        else:
            for one in read_words(words, exported, command.line, deep):
                yield replace(one, changes=(*(folder for _, folder in changes), *one.changes))


def read_words(
    words: Sequence[str], environ: Mapping[str, str], line: int = 1, deep: int = _NESTED_DEEP
) -> Iterator[Start | Call]:
    """What one command starts, given as words: itself, or what it says in one of them."""
    words = _without_keywords(words[:_WORDS])
    head = _name(words[0]) if words else ""
    if not words or head in _SPEAKS or (head in _DOCKER and {"exec", "run"}.isdisjoint(words)):
        return
    known = dict(environ)
    calls: list[Call] = []
    for at, word in enumerate(words):
        if _name(word) in _BRINGS:
            return
        if match := _ASSIGNMENT.fullmatch(word):
            known[match[1]] = match[2]
        elif found := [*_from(words, at, known, line, deep)]:
            changes, service = _elsewhere(head, words[:at])
            for one in found:
                yield replace(one, changes=(*changes, *one.changes), service=one.service or service)
            return
        elif call := _call(words, at):
            changes, service = _elsewhere(head, words[:at])
            calls.append(replace(call, environ=dict(known), changes=changes, service=service, line=line))
    yield from calls


def _from(words: Sequence[str], at: int, known: Mapping[str, str], line: int, deep: int) -> Iterator[Start | Call]:
    """What is started if the command proper begins with this word."""
    name = _name(words[at])
    if name in PROGRAMS or name == "manage.py":
        folder = posixpath.dirname(words[at]) if name == "manage.py" else ""
        for start in starts("django" if folder or name == "manage.py" else name, words[at + 1 :], known):
            changes = (*filter(None, [folder]), *start.changes)
            yield replace(start, line=line, text=_shown(words[at:]), changes=changes)
    elif deep and _is_text(words, at):
        yield from read_text(_after_sign(words[at]), known, line, (), deep - 1)


def _name(word: str) -> str:
    return posixpath.basename(word.replace("\\", "/")).removesuffix(".exe")


def _shown(words: Sequence[str]) -> str:
    """A line for people: no password of a broker's."""
    text = " ".join((_name(words[0]), *words[1:]))
    text = _SECRET.sub(r"\1***", _CREDENTIALS.sub(r"\1:***@", " ".join(text.split())))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _without_keywords(words: Sequence[str]) -> list[str]:
    rest = list(words)
    while rest and rest[0] in _KEYWORDS:
        rest.pop(0)
    return rest


def _is_text(words: Sequence[str], at: int) -> bool:
    """Whether this word holds a command of its own."""
    if at and re.fullmatch(r"-\w*c", words[at - 1]) and any(_name(word) in _SHELLS for word in words[:at]):
        return True
    return bool(re.search(r"\s", words[at].strip()) and MENTION.search(words[at]))


def _after_sign(word: str) -> str:
    """`--command=celery …`: what follows the sign."""
    option, sign, text = word.partition("=")
    return text if sign and re.fullmatch(r"--[\w-]+", option) else word


def _elsewhere(head: str, words: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The folder that a wrapper goes to, and the compose service whose container it runs in."""
    if head not in _GOES_THERE:
        return (), ""
    runs = next((at for at, word in enumerate(words) if word in ("exec", "run")), len(words))
    within = arguments(words[runs + 1 :], _DOCKER_SWITCHES)
    folder = within.value("-w", "--workdir") if head in _DOCKER else ""
    folder = folder or arguments(words[1:runs] if head in _DOCKER else words[1:], ()).value(
        "-C", "--directory", "--chdir"
    )
    in_compose = head.endswith("-compose") or "compose" in words[:runs]
    return tuple(filter(None, [folder])), next(iter(within.words), "") if in_compose else ""


def _call(words: Sequence[str], at: int) -> Call | None:
    """The file that is run by this word, if it is one."""
    word, before = words[at], [_name(one) for one in words[:at]]
    if is_open(word) or word.startswith("-") or re.search(r"[\s:=*]", word):
        return None
    after_python = any(map(_PYTHON.fullmatch, before))
    if after_python and words[at - 1] == "-m" and word not in ("debugpy", "pip", "poetry", "pipenv", "venv"):
        return Call(word, tuple(words[at + 1 :]), module=True)
    if word.endswith(".py"):
        runs = after_python or not at or not _RUNS_A_FILE.isdisjoint(before)
        return Call(word, tuple(words[at + 1 :])) if runs else None
    if after_python or _PYTHON.fullmatch(_name(word)) or _name(word) in _SHELLS:
        return None
    if (
        word.endswith((".sh", ".bash"))
        or word.startswith(("./", "../", "/"))
        or (before[-1:] and before[-1] in _SHELLS)
    ):
        return Call(word, tuple(words[at + 1 :]))
    return Call(word, tuple(words[1:]), surely=False) if not at else None


def _is_taken(command: Command, among: Sequence[Command], args: Sequence[str]) -> bool:
    """Whether the command stands in the `case` branches that the arguments or variables choose, as far as one knows."""
    for depth, (subject, patterns) in enumerate(command.branches):
        value = _chosen(subject, args)
        if value is None or _matches(value, patterns):
            continue
        others = [one.branches[depth] for one in among if len(one.branches) > depth]
        if "*" not in patterns or any(other[0] == subject and _matches(value, other[1]) for other in others):
            return False
    return True


def _matches(value: str, patterns: Sequence[str]) -> bool:
    """Whether a branch is for this value, and not just for all others."""
    return any(fnmatchcase(value, pattern) for pattern in patterns if pattern != "*")


def _chosen(subject: str, args: Sequence[str]) -> str | None:
    """What a `case` looks at; None if nobody knows."""
    if place := re.fullmatch(r"\$\{?(\d)(?::?-(.*))?\}?", subject):
        at = int(place[1]) - 1
        return args[at] if 0 <= at < len(args) else None
    return None if is_open(subject) or not subject else subject
