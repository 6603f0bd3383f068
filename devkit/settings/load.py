"""Settings from flags, the environment, `.env` files and `[tool.devkit]`, each with the place it came from.

Order: flag > running stack > environment > `[tool.devkit]` in pyproject.toml > default. The environment includes
`.env` and the `--env-file`; a variable that is really set wins over both, as with docker compose.
"""

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from devkit.errors import DevkitError, UsageError, did_you_mean
from devkit.settings.files import read
from devkit.settings.options import Options, check_of, environment_name, known
from devkit.settings.paths import Paths, paths_for
from devkit.settings.tables import (
    TABLES,
    ApiTable,
    ExtraService,
    WorkerTable,
    api_table,
    distinct,
    extra_service,
    is_strings,
    is_text,
    line_of,
    worker_table,
)

DEFAULT = "default"
RUNNING = "the running stack"


@dataclass(frozen=True)
class Settings:
    """What devkit is to do in one project.

    `sources` maps each option's key to where its value came from, for people to read: "flag", "the running stack",
    "DEVKIT_API", "pyproject.toml", "default". `paths` are the project's folders. `environ` is what services get, `.env`
    included; `inherited` is without that, and `env_files` are the files asked for beside it, of which the last wins.
    `import_roots` tells, by the option's key, from which folders the running stack imports an app, the first its own.
    """

    root: Path
    paths: Paths
    options: Options
    sources: Mapping[str, str]
    environ: Mapping[str, str]
    inherited: Mapping[str, str]
    env_files: tuple[Path, ...]
    extra_services: tuple[ExtraService, ...]
    workers: tuple[WorkerTable, ...]
    apis: tuple[ApiTable, ...]
    fastapi_entrypoint: str | None
    import_roots: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def passed_on(self) -> list[str]:
        """The flags that another devkit command needs to come to the same settings in this project's folder."""
        files = self.env_files if self.sources["env_file"] == "flag" else ()
        flags = [part for file in files for part in ("--env-file", str(file))]
        if self.options.python and self.sources["python"] == "flag":
            flags += ["--python", self.options.python]
        return [*flags, "--no-reload"] if self.sources["reload"] == "flag" and not self.options.reload else flags


def find_root(start: Path) -> Path:
    """The project's folder: the nearest from `start` upwards with a pyproject.toml, else `start` itself.

    Raises DevkitError where one above is of another user: in /tmp anyone may make one, and it says which code to run.
    """
    start = start.resolve()
    found = next((folder for folder in (start, *start.parents) if (folder / "pyproject.toml").is_file()), start)
    check_above(found, start)
    return found


def check_above(found: Path, start: Path) -> None:
    """Raises DevkitError where the pyproject.toml of a folder above is of another user."""
    file = found / "pyproject.toml"
    if found == start or not file.is_file():
        return
    if (owner := file.stat().st_uid) not in (0, os.getuid(), start.stat().st_uid):
        raise DevkitError(
            f"{file} belongs to somebody else (uid {owner})",
            mend=[f"if you trust them with your account: devkit -C {found} …", "else make one here: devkit init"],
        )


def load(
    start: Path,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    root: Path | None = None,
    running: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings for the project around `start`; `flags` are the options given on the command line.

    `root` is the project's folder if that is known already, `running` are the options that its running stack has.
    Raises UsageError for TOML that does not parse, an unknown key, a value of the wrong type, a missing env file.
    """
    root = root or find_root(start)
    document, text = _read_pyproject(root / "pyproject.toml")
    tool = _table(document, "tool")
    table = dict(_table(tool, "tool", "devkit"))
    services, workers, apis = (_table(table, "tool", "devkit", kind) for kind in TABLES)
    for kind in TABLES:
        table.pop(kind, None)
    _reject_unknown_keys(table, text)
    distinct(services, workers, apis, text)

    types = get_type_hints(Options)
    given = {key: (value, RUNNING) for key, value in (running or {}).items()}
    given |= {key: (value, "flag") for key, value in flags.items()}
    if "/" in flags.get("python", ""):
        given["python"] = (_from(start.resolve(), flags["python"]), "flag")
    named, source = _value("env_file", types, given, environ, table, text)
    # As typed, a path starts from where it was typed; in pyproject.toml from there.
    base = start.resolve() if source == "flag" else root
    asked = tuple(Path(_from(base, name)) for name in named or ())
    if missing := next((path for path in asked if not path.is_file()), None):
        mend = "correct --env-file, DEVKIT_ENV_FILE or env_file"
        if source == RUNNING:
            mend = "the stack was started with it: name another with --env-file, or start it anew"
        raise UsageError(f"there is no env file {missing}", mend=[mend])
    merged = {**_env_files(root, asked), **environ}
    values = {key: _value(key, types, given, merged, table, text) for key in known()}
    options = Options(**{key: value for key, (value, source) in values.items() if source != DEFAULT})
    return Settings(
        root=root,
        paths=paths_for(root, options.data_dir, environ),
        options=options,
        sources={key: source for key, (_, source) in values.items()},
        environ=merged,
        inherited=environ,
        env_files=asked,
        extra_services=tuple(extra_service(name, value, text) for name, value in services.items()),
        workers=tuple(worker_table(name, value, text) for name, value in workers.items()),
        apis=tuple(api_table(name, value, text) for name, value in apis.items()),
        fastapi_entrypoint=_entrypoint(_table(tool, "tool", "fastapi")),
    )


def _from(folder: Path, path: str) -> str:
    """The path from this folder on; links in it stay links, as that of a virtualenv's interpreter has to."""
    return os.path.abspath(folder / Path(path).expanduser())  # noqa: PTH100


def _value(
    key: str,
    types: Mapping[str, Any],
    given: Mapping[str, tuple[Any, str]],
    environ: Mapping[str, str],
    table: Mapping[str, Any],
    text: str,
) -> tuple[Any, str]:
    """An option's value and its source, which may be `given`; (None, "default") where it is set nowhere."""
    variable = environment_name(key)
    if key in given:
        (value, source), where = given[key], f"--{key.replace('_', '-')}"
    elif environ.get(variable):
        value, source, where = _from_text(environ[variable], types[key], variable), variable, variable
    elif key in table:
        where = f"pyproject.toml, line {line_of(text, 'tool', 'devkit', key)}: '{key}'"
        value, source = _checked(table[key], types[key], where), "pyproject.toml"
        if not all(str(one).isprintable() for one in (value if isinstance(value, tuple) else (value,))):
            raise UsageError(f"{where} has characters that cannot be printed", mend=["take them out"])
    else:
        return None, DEFAULT
    check = check_of(key)
    if check and not check.holds(value):
        raise UsageError(f"{where} has to be {check.wanted}, not {value!r}")
    return value, source


def _read_pyproject(path: Path) -> tuple[dict[str, Any], str]:
    try:
        text = read(path).decode().replace("\r\n", "\n")
        return tomllib.loads(text), text
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", mend=["make it readable"]) from error
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deep", mend=["correct it"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", mend=["correct the line that it names"]) from error


def _table(parent: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The table at the path's last key in `parent`; empty where there is none."""
    value = parent.get(path[-1], {})
    if not isinstance(value, dict):
        raise UsageError(f"pyproject.toml: [{'.'.join(path)}] has to be a table, not {value!r}")
    return value


def _entrypoint(table: Mapping[str, Any]) -> str | None:
    """What fastapi-cli reads, too."""
    value = table.get("entrypoint")
    if value is not None and not isinstance(value, str):
        raise UsageError(f"pyproject.toml: [tool.fastapi] entrypoint has to be a string, not {value!r}")
    return value


def _reject_unknown_keys(table: Mapping[str, Any], text: str) -> None:
    for key in table:
        if key not in known():
            raise UsageError(
                f"pyproject.toml, line {line_of(text, 'tool', 'devkit', key)}: unknown key '{key}' in [tool.devkit]"
                + did_you_mean(key, [*known(), *TABLES]),
                looked=[f"known keys: {', '.join([*known(), *TABLES])}"],
            )


def _env_files(root: Path, asked: Sequence[Path]) -> dict[str, str]:
    """The variables of `.env` and of the files asked for; of several values the last one wins."""
    paths = [path for path in [root / ".env"] if path.is_file()]
    paths += asked
    if not paths:
        return {}
    from dotenv import dotenv_values

    found: dict[str, str] = {}
    for path in paths:
        try:
            found |= {key: value for key, value in dotenv_values(path).items() if value is not None}
            if odd := next((key for key, value in found.items() if "\0" in key + value), None):
                raise UsageError(f"{path} has a NUL character at {odd!r}", mend=["take it out"])
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {path}: {error}", mend=["make it a readable UTF-8 file"]) from error
    return found


_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def _kind(hint: Any) -> type:
    """The type that a value must have: `int | None` → int, `tuple[str, ...]` → tuple."""
    if get_origin(hint) is tuple:
        return tuple
    kind: type = next((part for part in get_args(hint) if part is not type(None)), hint)
    return kind


def _from_text(text: str, hint: Any, variable: str) -> Any:
    kind = _kind(hint)
    readers: dict[type, Callable[[str], Any]] = {bool: lambda word: _WORDS[word.lower()], tuple: _listed}
    try:
        return readers.get(kind, kind)(text)
    except (KeyError, ValueError):
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise UsageError(
            f"{variable} has to be {wanted}, not {text!r}", mend=[f"set {variable} right, or unset it"]
        ) from None


def _listed(text: str) -> tuple[str, ...]:
    """What is separated by commas, or as in PATH."""
    return tuple(part.strip() for part in text.replace(os.pathsep, ",").split(",") if part.strip())


def _checked(value: Any, hint: Any, where: str) -> Any:
    kind = _kind(hint)
    if kind is tuple and (is_text(value) or is_strings(value)):
        return (value,) if isinstance(value, str) else tuple(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        wanted = {
            bool: "true or false", int: "a whole number", float: "a number", str: "a string in quotes",
            tuple: "a string in quotes, or a list of such",
        }[kind]  # fmt: skip
        raise UsageError(f"{where} has to be {wanted}, not {value!r}")
    return value
