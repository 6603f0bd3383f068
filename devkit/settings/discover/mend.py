"""What an error offers: how to name or choose an app, and places as users know them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from devkit.settings.discover.kinds import Kind
from devkit.settings.discover.project import scan
from devkit.settings.discover.roots import AppRef, app_ref


def ways(kind: Kind, *specs: str) -> tuple[str, ...]:
    """How to name an app, for the first few of these."""
    specs = specs[:3] or ("MODULE:ATTR",)
    setting = f'{kind.setting} = "{specs[0]}" under [tool.devkit] in pyproject.toml'
    return (*(f"devkit up {kind.option} {spec}" for spec in specs), setting)


def suggestions(root: Path, kind: Kind) -> tuple[str, ...]:
    """How to name the project's likeliest apps."""
    project = scan(root)
    return ways(kind, *(str(app_ref(project, app)) for app in project.apps(kind)[:3]))


def choices(root: Path, refs: Sequence[AppRef], kind: Kind) -> tuple[str, ...]:
    """How to choose among these: by name, or by folder where several have one name."""
    if len(set(map(str, refs))) == len(refs):
        return ways(kind)
    return tuple(f"devkit -C {shown(ref.folder, root)} up" for ref in refs)


def instead(root: Path, ref: AppRef, started: Iterable[AppRef | None], kind: Kind) -> str:
    """The command that starts this app in place of those that are: by name, or by folder where names are the same."""
    same = any(str(ref) == str(other) for other in started)
    return f"devkit -C {shown(ref.folder, root)} up" if same else f"devkit up {kind.option} {ref}"


def shown(path: Path, root: Path) -> str:
    """The path as seen from the project's folder."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
