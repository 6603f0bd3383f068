"""What one command line starts: the arguments of celery, uvicorn and their like, understood as each takes them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from devkit.settings.evidence.line import Program
from devkit.settings.evidence.options import Arguments, arguments, is_open

_CELERY_SWITCHES = frozenset([
    "-B", "--beat", "-E", "--task-events", "--events", "-D", "--detach", "--purge", "--discard", "-C", "--no-color",
    "--without-gossip", "--without-mingle", "--without-heartbeat", "-q", "--quiet", "--skip-checks", "-h", "--help",
    "--disable-prefetch", "--no-execv", "--version",
])  # fmt: skip
_CELERY_PROGRAMS: Mapping[str, Program] = {"worker": "worker", "multi": "worker", "beat": "beat", "flower": "flower"}
_SERVER_SWITCHES = frozenset([
    "--reload", "--factory", "--proxy-headers", "--no-proxy-headers", "--use-colors", "--no-use-colors",
    "--access-log", "--no-access-log", "--server-header", "--no-server-header", "--date-header", "--no-date-header",
    "--preload", "--daemon", "-D", "--check-config", "--capture-output", "--reuse-port", "--no-sendfile", "--debug",
    "--no-reload", "--version", "-h", "--help", "--spew", "--no-debugger", "--with-threads", "--noreload",
    "--enable-stdio-inheritance", "-R", "--insecure", "--nothreading", "--nostatic",
])  # fmt: skip
_APP = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*:[A-Za-z_][\w.]*(?:\(.*\))?", re.DOTALL)
_MODULE = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*")
_SCHEMES = ("asgi:", "wsgi:")  # hypercorn's


@dataclass(frozen=True)
class Start:
    """One program that is started. `changes` are the folders that the line goes to, one after the other; `imports`
    those that it imports from besides."""

    program: Program
    spec: str = ""
    server: str = ""
    factory: bool = False
    queues: str = ""
    pool: str = ""
    concurrency: int | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    service: str = ""
    text: str = ""
    line: int = 1


def celery(words: Sequence[str], environ: Mapping[str, str]) -> Iterator[Start]:
    """`celery -A X worker …`, and as it was before 5.0: `celery worker -A X`."""
    found = arguments(words, _CELERY_SWITCHES)
    program = next((_CELERY_PROGRAMS[word] for word in found.words if word in _CELERY_PROGRAMS), None)
    if program is None:
        return
    concurrency = found.value("-c", "--concurrency")
    start = Start(
        program,
        _told(found.value("-A", "--app") or environ.get("APP", "")),
        queues=found.value("-Q", "--queues", "--queue").replace(" ", "") if program == "worker" else "",
        pool=found.value("-P", "--pool") if program == "worker" else "",
        concurrency=int(concurrency) if program == "worker" and concurrency.isdecimal() else None,
        changes=tuple(filter(None, [found.value("--workdir")])),
    )
    yield start
    if program == "worker" and found.has("-B", "--beat"):
        yield Start("beat", start.spec, changes=start.changes)


def flower(words: Sequence[str], environ: Mapping[str, str]) -> Iterator[Start]:
    """`flower -A X`, a command of its own until 1.0."""
    return celery(["flower", *words], environ)


def server(name: str) -> Callable[[Sequence[str], Mapping[str, str]], Iterator[Start]]:
    """uvicorn, gunicorn, hypercorn, daphne, granian: `module:attribute`, among options."""

    def starts(words: Sequence[str], _environ: Mapping[str, str]) -> Iterator[Start]:
        found = arguments(words, _SERVER_SWITCHES)
        spec = _served(found, words, module_alone=name == "gunicorn")
        if not spec and not (name == "gunicorn" and found.has("-c", "--config")):
            return
        called = spec.endswith(")")
        yield Start(
            "api",
            spec.partition("(")[0],
            server=name,
            factory=called or found.has("--factory"),
            changes=tuple(filter(None, [found.value("--chdir")])),
            imports=tuple(filter(None, [found.value("--app-dir", "--pythonpath")])),
        )

    return starts


def fastapi(words: Sequence[str], _environ: Mapping[str, str]) -> Iterator[Start]:
    """`fastapi dev app/main.py --app api`, or nothing that names one: it looks for main.py and app/main.py."""
    found = arguments(words, _SERVER_SWITCHES)
    if found.words[:1] and found.words[0] in ("dev", "run"):
        path = _told(next(iter(found.words[1:]), ""))
        named = _told(found.value("--app"))
        spec = _told(found.value("-e", "--entrypoint")) or path
        yield Start("api", f"{spec}:{named}" if named and spec and ":" not in spec else spec, server="fastapi")


def flask(words: Sequence[str], environ: Mapping[str, str]) -> Iterator[Start]:
    """`flask --app X run`; without it the app is FLASK_APP's."""
    found = arguments(words, _SERVER_SWITCHES)
    if "run" in found.words:
        spec = _told(found.value("--app", "-A") or environ.get("FLASK_APP", ""))
        called = spec.endswith(")")
        yield Start("api", spec.partition("(")[0], server="flask", factory=called)


def django(words: Sequence[str], _environ: Mapping[str, str]) -> Iterator[Start]:
    """`manage.py runserver`; a settings module that it names is one."""
    found = arguments(words, _SERVER_SWITCHES)
    if found.words[:1] and found.words[0].startswith("runserver"):
        settings = found.value("--settings")
        environ = {"DJANGO_SETTINGS_MODULE": settings} if settings else {}
        yield Start("api", server="django", environ=environ)
    elif found.words[:1] == ["celery"]:  # django-celery's
        yield from celery(words[words.index("celery") + 1 :], {})


# By the name of the command, or of the module that `python -m` runs.
PROGRAMS: Mapping[str, Callable[[Sequence[str], Mapping[str, str]], Iterator[Start]]] = {
    "celery": celery,
    "flower": flower,
    "uvicorn": server("uvicorn"),
    "gunicorn": server("gunicorn"),
    "hypercorn": server("hypercorn"),
    "daphne": server("daphne"),
    "granian": server("granian"),
    "fastapi": fastapi,
    "flask": flask,
    "django": django,
    "django-admin": django,
}


def starts(name: str, words: Sequence[str], environ: Mapping[str, str]) -> Iterator[Start]:
    """What the program of this name starts with these arguments."""
    for start in PROGRAMS[name](words, environ):
        yield replace(start, environ={**environ, **start.environ})


def _served(found: Arguments, words: Sequence[str], *, module_alone: bool) -> str:
    for word in found.words:
        if not is_open(word) and (_APP.fullmatch(word) or (module_alone and _MODULE.fullmatch(word))):
            return word
    bound = {found.value("-b"), found.value("--bind"), found.value("-k"), found.value("--worker-class")}
    for word in words:  # an option that is not known here may be a switch, and what follows it the app
        name = word[5:] if word.startswith(_SCHEMES) else word
        if word not in bound and not is_open(word) and _APP.fullmatch(name) and not name.startswith("unix:"):
            return name
    return ""


def _told(text: str) -> str:
    return "" if is_open(text) else text.strip("\"' ")
