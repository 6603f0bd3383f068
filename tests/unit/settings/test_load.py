"""Settings and the place that each came from; and what is said of those that cannot be."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from devkit.errors import DevkitError, UsageError
from devkit.settings.load import Settings, find_root, load
from devkit.settings.options import Options, known
from devkit.settings.tables import BUILT_IN_SERVICES, ExtraService


def write(root: Path, pyproject: str = "", env: str | None = None) -> Path:
    (root / "pyproject.toml").write_text(pyproject)
    if env is not None:
        (root / ".env").write_text(env)
    return root


def read(
    root: Path, pyproject: str = "", flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    return load(write(root, pyproject), flags or {}, environ or {})


def error(
    root: Path, pyproject: str = "", flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(root, pyproject, flags, environ)
    return caught.value


def line_of(found: UsageError) -> int:
    """The line of pyproject.toml that the error names."""
    match = re.search(r"pyproject\.toml, line (\d+)", found.what)
    assert match, found.what
    return int(match[1])


# --- which value counts ---


def test_without_any_setting_all_are_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, {}, {})

    assert settings.options == Options()
    assert settings.sources == dict.fromkeys(known(), "default")
    assert (settings.root, settings.extra_services, settings.fastapi_entrypoint) == (tmp_path, (), None)


def test_each_place_gives_way_to_the_one_before(tmp_path: Path) -> None:
    names = ("celery", "api", "broker", "queues", "pool")
    pyproject = "[tool.devkit]\n" + "".join(f'{name} = "table"\n' for name in names[:4])
    env = "".join(f"DEVKIT_{name.upper()}=dotenv\n" for name in names[:3])
    environ = {f"DEVKIT_{name.upper()}": "real" for name in names[:2]}

    settings = load(write(tmp_path, pyproject, env), {"celery": "flag"}, environ)

    found = {name: (getattr(settings.options, name), settings.sources[name]) for name in names}
    assert found == {
        "celery": ("flag", "flag"),
        "api": ("real", "DEVKIT_API"),
        "broker": ("dotenv", "DEVKIT_BROKER"),
        "queues": ("table", "pyproject.toml"),
        "pool": (None, "default"),
    }


def test_a_flag_that_switches_off_wins_too(tmp_path: Path) -> None:
    settings = read(tmp_path, "[tool.devkit]\nwith_api = true", {"with_api": False}, {"DEVKIT_WITH_API": "1"})

    assert settings.options.with_api is False


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    settings = read(tmp_path, '[tool.devkit]\npool = "solo"', environ={"DEVKIT_POOL": ""})

    assert (settings.options.pool, settings.sources["pool"]) == ("solo", "pyproject.toml")


def test_values_have_the_options_type_wherever_they_come_from(tmp_path: Path) -> None:
    table = "[tool.devkit]\napi_port = 1234\ntimeout = 5\nwith_beat = false"
    environ = {"DEVKIT_CONCURRENCY": "3", "DEVKIT_TIMEOUT": "2.5", "DEVKIT_WITH_API": "No", "DEVKIT_WITH_FLOWER": "ON"}

    from_table = read(tmp_path, table).options
    from_environment = read(tmp_path, environ=environ).options

    assert (from_table.api_port, from_table.timeout, from_table.with_beat) == (1234, 5.0, False)
    assert type(from_table.timeout) is float
    assert (from_environment.concurrency, from_environment.timeout) == (3, 2.5)
    assert (from_environment.with_api, from_environment.with_flower) == (False, True)


# --- the environment, .env and --env-file ---


def test_services_get_the_environment_and_what_the_env_files_add(tmp_path: Path) -> None:
    write(tmp_path, env="A=dotenv\nB=dotenv\nC=dotenv\nBARE\n")
    (tmp_path / "local.env").write_text("B=asked\nC=asked\n")

    settings = load(tmp_path, {"env_file": ("local.env",)}, {"C": "real", "D": "real"})

    assert settings.environ == {"A": "dotenv", "B": "asked", "C": "real", "D": "real"}


@pytest.mark.parametrize("place", ["flag", "variable with commas", "variable as PATH", "table"])
def test_of_several_env_files_the_last_one_wins(tmp_path: Path, place: str) -> None:
    write(tmp_path, '[tool.devkit]\nenv_file = ["one.env", "two.env"]' if place == "table" else "", env="A=dotenv")
    (tmp_path / "one.env").write_text("A=one\nB=one\nC=one\n")
    (tmp_path / "two.env").write_text("B=two\nC=two\n")
    written = {"variable with commas": "one.env, two.env", "variable as PATH": f"{tmp_path}/one.env:two.env"}

    settings = load(
        tmp_path,
        {"env_file": ("one.env", "two.env")} if place == "flag" else {},
        {"C": "real"} | ({"DEVKIT_ENV_FILE": written[place]} if place in written else {}),
    )

    assert {name: settings.environ[name] for name in "ABC"} == {"A": "one", "B": "two", "C": "real"}
    assert settings.env_files == (tmp_path / "one.env", tmp_path / "two.env")


def test_another_devkit_command_is_given_each_env_file_that_was_typed(tmp_path: Path) -> None:
    for name in ("one.env", "two.env"):
        (tmp_path / name).touch()

    settings = load(tmp_path, {"env_file": ("one.env", "two.env")}, {})

    assert settings.passed_on() == ["--env-file", str(tmp_path / "one.env"), "--env-file", str(tmp_path / "two.env")]


@pytest.mark.parametrize("place", ["flag", "variable", "table"])
def test_the_env_file_may_be_asked_for_anywhere(tmp_path: Path, place: str) -> None:
    (tmp_path / "local.env").write_text("DEVKIT_POOL=solo")
    settings = read(
        tmp_path,
        '[tool.devkit]\nenv_file = "local.env"' if place == "table" else "",
        {"env_file": ("local.env",)} if place == "flag" else {},
        {"DEVKIT_ENV_FILE": str(tmp_path / "local.env")} if place == "variable" else {},
    )

    assert settings.options.pool == "solo"


def test_a_missing_env_file(tmp_path: Path) -> None:
    found = error(tmp_path, flags={"env_file": ("no.env",)})

    assert found.what == f"there is no env file {tmp_path / 'no.env'}"
    assert "--env-file" in found.mend[0]


def test_an_env_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe")

    assert error(tmp_path).what.startswith(f"cannot read {tmp_path / '.env'}: ")


# --- keys that are none ---


@pytest.mark.parametrize(
    ("pyproject", "line"),
    [
        pytest.param("[tool.devkit]\napi_prot = 1", 2, id="plain"),
        pytest.param("[project]\napi_prot = 0\n\n[tool.devkit] # here\nbroker = 'x'\n  'api_prot' = 1", 6, id="quoted"),
        pytest.param("[tool.devkit.api_prot]\nx = 1", 1, id="a table"),
        pytest.param("\n[tool]\ndevkit.broker = 'x'\ndevkit.api_prot = 1", 4, id="dotted, in [tool]"),
        pytest.param("[tool.devkit]\napi_prot.x = 1", 2, id="dotted itself"),
        pytest.param("# settings\ntool.devkit.api_prot = 1", 2, id="dotted, at the top"),
        pytest.param("[tool]\ndevkit = { broker = 'x', api_prot = 1 }", 2, id="inline table"),
    ],
)
def test_an_unknown_key_is_shown_with_its_line_and_the_close_ones(tmp_path: Path, pyproject: str, line: int) -> None:
    found = error(tmp_path, pyproject)

    assert "unknown key 'api_prot' in [tool.devkit]; did you mean 'api_port'" in found.what
    assert line_of(found) == line
    assert found.looked == (f"known keys: {', '.join(known())}, services, workers, apis",)


def test_nothing_is_suggested_for_a_key_like_none(tmp_path: Path) -> None:
    assert "did you mean" not in error(tmp_path, "[tool.devkit]\nxyzzy = 1").what


def test_a_services_key_is_not_taken_for_the_unknown_key_of_that_name(tmp_path: Path) -> None:
    pyproject = "[tool.devkit]\nservices.web.command = 'x'\ncommand = 'y'"

    assert line_of(error(tmp_path, pyproject)) == 3


# --- values that cannot be ---


def test_toml_that_does_not_parse(tmp_path: Path) -> None:
    found = error(tmp_path, "[tool.devkit]\nbroker = redis")

    assert found.what.startswith(f"{tmp_path / 'pyproject.toml'} is not valid TOML: ")
    assert "line 2" in found.what


def test_toml_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(UsageError, match="is not valid TOML"):
        load(tmp_path, {}, {})


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("api_port", "'8000'", "a whole number, not '8000'"),
        ("api_port", "true", "a whole number, not True"),
        ("api_port", "8000.0", "a whole number, not 8000.0"),
        ("with_api", "1", "true or false, not 1"),
        ("timeout", "'60'", "a number, not '60'"),
        ("broker", "['redis://x']", "a string in quotes, not ['redis://x']"),
        ("data_dir", "7", "a string in quotes, not 7"),
        ("env_file", "7", "a string in quotes, or a list of such, not 7"),
        ("env_file", "['.env', 7]", "a string in quotes, or a list of such, not ['.env', 7]"),
    ],
)
def test_a_value_of_the_wrong_type_in_the_table(tmp_path: Path, key: str, value: str, wanted: str) -> None:
    found = error(tmp_path, f"[tool.devkit]\n\n{key} = {value}")

    assert found.what.endswith(f"pyproject.toml, line 3: '{key}' has to be {wanted}")


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("DEVKIT_API_PORT", "http", "a whole number"),
        ("DEVKIT_API_PORT", "80.5", "a whole number"),
        ("DEVKIT_TIMEOUT", "soon", "a number"),
        ("DEVKIT_WITH_API", "maybe", "true or false"),
    ],
)
def test_a_variable_of_the_wrong_type(tmp_path: Path, variable: str, value: str, wanted: str) -> None:
    found = error(tmp_path, environ={variable: value})

    assert found.what == f"{variable} has to be {wanted}, not {value!r}"
    assert variable in found.mend[0]


@pytest.mark.parametrize(("key", "port"), [("api_port", 0), ("flower_port", -1), ("redis_port", 65536)])
def test_a_port_that_no_machine_has_is_refused_wherever_it_comes_from(tmp_path: Path, key: str, port: int) -> None:
    assert f"'{key}'" in error(tmp_path, f"[tool.devkit]\n{key} = {port}").what
    assert f"DEVKIT_{key.upper()}" in error(tmp_path, environ={f"DEVKIT_{key.upper()}": str(port)}).what


@pytest.mark.parametrize("value", ["0", "-1", "nan"])
def test_a_timeout_that_is_no_time_is_refused_wherever_it_comes_from(tmp_path: Path, value: str) -> None:
    assert "timeout" in error(tmp_path, f"[tool.devkit]\ntimeout = {value}").what
    assert "DEVKIT_TIMEOUT" in error(tmp_path, environ={"DEVKIT_TIMEOUT": value}).what


@pytest.mark.parametrize(
    ("pyproject", "table"),
    [
        ("tool = 1", "[tool]"),
        ("[tool]\ndevkit = 1", "[tool.devkit]"),
        ("[tool.devkit]\nservices = ['web']", "[tool.devkit.services]"),
        ("[tool]\nfastapi = 1", "[tool.fastapi]"),
    ],
)
def test_what_has_to_be_a_table_is_called_by_its_name(tmp_path: Path, pyproject: str, table: str) -> None:
    found = error(tmp_path, pyproject)

    assert "has to be a table" in found.what
    assert table in found.what


# --- services of the project ---


def test_a_service_with_all_its_keys(tmp_path: Path) -> None:
    pyproject = """
        [tool.devkit.services.web]
        command = ["npm", "run", "dev"]
        cwd = "frontend"
        env = { PORT = 3000, RATIO = 0.5, NODE_ENV = "development" }
        ready = "http://127.0.0.1:3000"
        depends_on = ["api", "seed"]

        [tool.devkit.services.seed]
        command = "python seed.py && echo done"
    """

    web, seed = read(tmp_path, pyproject).extra_services

    assert web == ExtraService(
        name="web",
        command=("npm", "run", "dev"),
        cwd="frontend",
        env={"PORT": "3000", "RATIO": "0.5", "NODE_ENV": "development"},
        ready="http://127.0.0.1:3000",
        depends_on=("api", "seed"),
    )
    assert seed == ExtraService("seed", "python seed.py && echo done", cwd=None, env={}, ready=None, depends_on=())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("command", "''"),
        ("command", "' '"),
        ("command", "[]"),
        ("command", "['npm', 1]"),
        ("command", "true"),
        ("cwd", "1"),
        ("cwd", "''"),
        ("env", "'A=1'"),
        ("env", "{ A = ['x'] }"),
        ("env", "{ A = { B = 'x' } }"),
        ("ready", "3000"),
        ("ready", "''"),
        ("depends_on", "'api'"),
        ("depends_on", "[1]"),
    ],
)
def test_a_services_value_that_cannot_be(tmp_path: Path, key: str, value: str) -> None:
    command = "" if key == "command" else "command = 'x'\n"
    pyproject = f"[tool.devkit.services.other]\ncommand = 'x'\n\n[tool.devkit.services.web]\n{command}{key} = {value}"

    found = error(tmp_path, pyproject)

    assert f"'{key}' in [tool.devkit.services.web] cannot be " in found.what
    assert line_of(found) == len(pyproject.splitlines())
    assert found.mend[0].startswith(f"write it like {key} = ")


@pytest.mark.parametrize(
    ("pyproject", "line"),
    [
        pytest.param("[tool.devkit.services.web]\ncomand = 'x'", 2, id="table"),
        pytest.param("[tool.devkit.services]\na.command = 'x'\nweb.comand = 'x'", 3, id="dotted"),
        pytest.param("[tool.devkit]\nbroker = 'x'\nservices.web.comand = 'x'", 3, id="dotted from further up"),
        pytest.param("[tool.devkit.services]\na = { command = 'x' }\nweb = { comand = 'x' }", 3, id="inline table"),
    ],
)
def test_a_services_unknown_key(tmp_path: Path, pyproject: str, line: int) -> None:
    found = error(tmp_path, pyproject)

    assert "unknown key 'comand' in [tool.devkit.services.web]; did you mean 'command'?" in found.what
    assert found.looked == ("known keys: command, cwd, env, ready, depends_on",)
    assert line_of(found) == line


def test_the_key_of_another_service_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    pyproject = "[tool.devkit.services]\na.command = 'x'\nb.command = 1"

    found = error(tmp_path, pyproject)

    assert "'command' in [tool.devkit.services.b] cannot be 1" in found.what
    assert line_of(found) == 3


def test_a_service_without_a_command(tmp_path: Path) -> None:
    found = error(tmp_path, "[tool.devkit]\n\n[tool.devkit.services.web]\ncwd = 'x'")

    assert found.what == "pyproject.toml, line 3: [tool.devkit.services.web] has no command"


def test_a_service_that_is_no_table(tmp_path: Path) -> None:
    found = error(tmp_path, "[tool.devkit.services]\nweb = 'npm run dev'")

    assert found.what == "pyproject.toml, line 2: [tool.devkit.services.web] has to be a table with a command"


@pytest.mark.parametrize("name", [*BUILT_IN_SERVICES, "devkit"])
def test_a_name_that_devkit_needs_itself(tmp_path: Path, name: str) -> None:
    found = error(tmp_path, f"[tool.devkit.services.{name}]\ncommand = 'x'")

    assert f"'{name}' is one of devkit's own" in found.what


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", ".x", "a/b", "ä"])
def test_a_name_that_is_no_file_name(tmp_path: Path, name: str) -> None:
    found = error(tmp_path, f'[tool.devkit]\n[tool.devkit.services."{name}"]\ncommand = "x"')

    assert "a service's name has only letters, digits, '-', '_' and '.'" in found.what
    assert line_of(found) == 2


# --- the project ---


def test_the_root_is_the_nearest_folder_with_a_pyproject(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    write(tmp_path)

    assert find_root(inner) == tmp_path
    assert find_root(tmp_path) == tmp_path


def test_without_a_pyproject_the_root_is_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").mkdir()  # not a file: not one

    assert find_root(tmp_path) == tmp_path


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a file away")
def test_settings_of_another_user_in_a_folder_above_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    inner = tmp_path / "inner"
    inner.mkdir()
    os.chown(tmp_path / "pyproject.toml", 12345, 12345)

    with pytest.raises(DevkitError, match=f"{tmp_path / 'pyproject.toml'} belongs to somebody else"):
        find_root(inner)

    assert find_root(tmp_path) == tmp_path  # who is in that very folder means it
    os.chown(inner, 12345, 12345)
    assert find_root(inner) == tmp_path  # all of it is of one owner, and root works in it


def test_settings_are_found_from_within_the_project(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    write(tmp_path, '[tool.devkit]\npool = "solo"', "DEVKIT_QUEUES=a,b")

    settings = load(tmp_path / "src", {}, {})

    assert (settings.root, settings.options.pool, settings.options.queues) == (tmp_path, "solo", "a,b")


def test_fastapis_own_setting_is_known(tmp_path: Path) -> None:
    assert read(tmp_path, '[tool.fastapi]\nentrypoint = "main:app"').fastapi_entrypoint == "main:app"


@pytest.mark.parametrize("value", ["3", "['main:app']", "true"])
def test_fastapis_own_setting_has_to_be_a_string(tmp_path: Path, value: str) -> None:
    assert "entrypoint" in error(tmp_path, f"[tool.fastapi]\nentrypoint = {value}").what
