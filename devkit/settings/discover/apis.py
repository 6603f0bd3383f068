"""Which APIs a project has: by its start lines, else by its code."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from devkit.settings.discover.django import manage_files, settings_module
from devkit.settings.discover.kinds import FASTAPI, FLASK, Kind, place
from devkit.settings.discover.mend import instead, shown
from devkit.settings.discover.named import Named, is_text, name_apps, set_by, together
from devkit.settings.discover.programs import ApiKind, ApiProgram
from devkit.settings.discover.project import App, ProjectFiles
from devkit.settings.discover.roots import AppRef, app_ref
from devkit.settings.discover.values import Made
from devkit.settings.discover.workers import origin_of
from devkit.settings.evidence.line import StartLine

FIRST = "api"
TAKEN = frozenset((FIRST, "redis", "rabbitmq", "worker", "flower", "beat", "devkit"))
# Servers that speak ASGI, whatever the app is.
_ASGI = ("uvicorn", "hypercorn", "fastapi", "daphne", "granian")
_OWN_REQUIREMENTS = ("pyproject.toml", "requirements.txt", "setup.py", "Pipfile", "package.json", "Dockerfile")


def apis_of(project: ProjectFiles, lines: Sequence[StartLine]) -> tuple[tuple[ApiProgram, ...], tuple[str, ...]]:
    """The APIs, the first is the one that is meant where only one can be, and notes on what is not started."""
    by_code = list(_by_code(project))
    apart = _apart(project, by_code)
    programs: list[ApiProgram] = []
    for program in _by_lines(project, lines) or (apart if len(apart) > 1 else by_code[:1]):
        programs.append(replace(program, name=_name(project, program, [one.name for one in programs])))
    apps = [program.app for program in programs]
    started = {_origin(project, program) for program in programs}
    notes = []
    for one in by_code:
        if one.app and not one.factory and _origin(project, one) not in started and not _is_aside(project, one):
            how = instead(project.root, one.app, apps, FASTAPI)
            notes.append(f"{one.reasons[0]} is not started; {how} starts that one")
    return tuple(programs), tuple(notes)


# --- by start lines ---


def _by_lines(project: ProjectFiles, lines: Sequence[StartLine]) -> list[ApiProgram]:
    """An API for each app among the lines that are meant together."""
    apps = {id(named.line): named for named in name_apps(project, lines, "api")}
    near = [line for line in lines if line.program == "api" and not project.is_aside(line.file)]
    programs: list[tuple[StartLine, ApiProgram]] = []
    for line in near:
        if program := _of_line(project, line, apps.get(id(line))):
            programs.append((line, replace(program, environ=set_by(line))))
    if not programs:
        return []
    group = together(programs[0][0])
    found: dict[object, ApiProgram] = {}
    for line, program in programs:
        if together(line) == group:
            found.setdefault(_key(program), program)
    if is_text(programs[0][0].file) and len({program.folder for program in found.values()}) == 1:
        return list(found.values())[:1]
    return list(found.values())


def _of_line(project: ProjectFiles, line: StartLine, named: Named | None) -> ApiProgram | None:
    reason = (f"{shown(line.file, project.root)}:{line.line}  {line.text.strip()}",)
    if line.server == "django":
        folder = next((folder for folder in line.folders if (folder / "manage.py").is_file()), None)
        return ApiProgram(line.service or FIRST, "django", folder, reasons=reason) if folder else None
    if named is None:
        return None
    ref, made = named.meant.ref, named.meant.made
    kind = made.kind if made else None
    name = line.service or FIRST
    if kind is None and ref.module.rpartition(".")[2] in ("wsgi", "asgi"):
        manage = next((file for file in manage_files(project) if file.parent == ref.folder), None)
        if manage:
            return ApiProgram(name, "django", manage.parent, reasons=reason)
    if kind is FLASK or line.server == "flask":
        return ApiProgram(name, "flask", ref.folder, _plain(ref), factory=named.meant.factory, reasons=reason)
    if kind is FASTAPI or line.server in _ASGI or "uvicorn" in line.text:
        factory = line.factory or named.meant.factory
        return ApiProgram(name, "asgi", ref.folder, _plain(ref), factory=factory, reasons=reason)
    return None


# --- by code ---


def _by_code(project: ProjectFiles) -> Iterator[ApiProgram]:
    """Every API that the code has, the likeliest first: FastAPI before Django before Flask."""
    yield from _of_kind(project, FASTAPI)
    for manage in manage_files(project)[:1]:
        settings = settings_module(project, manage)
        reason = f"{shown(manage, project.root)}  Django{f', settings: {settings}' if settings else ''}"
        yield ApiProgram(FIRST, "django", manage.parent, reasons=(reason,))
    yield from _of_kind(project, FLASK)


def _of_kind(project: ProjectFiles, kind: Kind) -> Iterator[ApiProgram]:
    name: ApiKind = "flask" if kind is FLASK else "asgi"
    apps = [app for app in project.apps(kind) if not _is_mounted(project, app)]
    for app in apps:
        ref = app_ref(project, app)
        reason = f"{shown(app.file, project.root)}:{app.line}  {app.attribute} = {kind.name} app"
        yield ApiProgram(FIRST, name, ref.folder, ref, reasons=(reason,))
    called = {app.made.origin for app in project.apps(kind)}
    factories = [one for one in _factories(project, kind) if one.made.origin not in called]
    for app in factories:
        ref = app_ref(project, app)
        reason = f"{shown(app.file, project.root)}:{app.line}  {app.attribute}() makes a {kind.name} app"
        yield ApiProgram(FIRST, name, ref.folder, ref, factory=True, reasons=(reason,))


def _factories(project: ProjectFiles, kind: Kind) -> list[App]:
    """The functions that make an app without being given anything, the likeliest first."""
    found = []
    for source in project.sources.values():
        for name, made in project.follower.factories(source).items():
            if made.kind is kind and not project.is_aside(source.file) and not _needs_arguments(source.top.bound[name]):
                found.append(App(source.file, source.top.bound[name][0].line, name, made))
    usual = ("create_app", "get_app", "make_app", "build_app", "get_application", "app_factory", "create_application")
    return sorted(found, key=lambda app: (place(app.attribute, usual), *project.rank(app, kind), str(app.file)))


def _needs_arguments(bounds: Iterable[object]) -> bool:
    for bound in bounds:
        definition = getattr(bound, "definition", None)
        arguments = getattr(definition, "args", None)
        if arguments is not None:
            positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
            return positional > 0 or any(default is None for default in arguments.kw_defaults)
    return True


def _is_mounted(project: ProjectFiles, app: App) -> bool:
    """Whether another of the project's apps has it as a part of its own: `app.mount("/v1", v1)`."""
    for source in project.sources.values():
        for call in source.top.calls:
            function = getattr(call.func, "attr", "")
            for argument in (*call.args[1:], *(word.value for word in call.keywords)) if function == "mount" else ():
                value = project.follower.value(source.top, argument)
                if isinstance(value, Made) and value.origin == app.made.origin:
                    return True
    return False


def _apart(project: ProjectFiles, programs: Sequence[ApiProgram]) -> list[ApiProgram]:
    """The first of each top-level folder that is a project of its own: it has its own requirements."""
    found: dict[Path, ApiProgram] = {}
    for program in programs:
        if _is_aside(project, program) or not program.folder.is_relative_to(project.root):
            continue
        parts = program.folder.relative_to(project.root).parts
        for depth in (1, 2):  # services/orders/ as well as orders/
            folder = project.root.joinpath(*parts[:depth])
            if len(parts) >= depth and any((folder / name).is_file() for name in _OWN_REQUIREMENTS):
                found.setdefault(folder, program)
                break
    return list(found.values())


def _is_aside(project: ProjectFiles, program: ApiProgram) -> bool:
    return project.is_aside(program.folder / "x.py") or bool(
        program.app and project.is_aside(program.app.folder.joinpath(*program.app.module.split(".")).with_suffix(".py"))
    )


def _origin(project: ProjectFiles, program: ApiProgram) -> object:
    """What is equal for one API, from whichever folder and by whichever name."""
    return (program.app and origin_of(project, program.app, FASTAPI)) or _key(program)


def _key(program: ApiProgram) -> object:
    return (program.folder, program.app.module, program.app.attribute) if program.app else program.folder


def _plain(ref: AppRef) -> AppRef:
    return replace(ref, attribute=re.sub(r"\(.*\)$", "", ref.attribute))


def _name(project: ProjectFiles, program: ApiProgram, taken: Sequence[str]) -> str:
    """`api` for the first; else the service's name, or the folder's."""
    if not taken:
        return FIRST
    own = program.folder.relative_to(project.root).parts if program.folder.is_relative_to(project.root) else ()
    words = [program.name, *(part for part in own if part != "src"), program.app.module if program.app else ""]
    for word in words:
        name = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")
        if name and name not in TAKEN and name not in taken:
            return name
    return next(name for number in range(2, 99) if (name := f"{FIRST}-{number}") not in taken)
