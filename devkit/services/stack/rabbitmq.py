"""The embedded RabbitMQ: this machine's rabbitmq-server, its data under `.devkit/`, and only its own port open."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from devkit.errors import DevkitError
from devkit.model.embedded import OWNER
from devkit.model.private import make_runtime
from devkit.services.ports import Port
from devkit.services.project.broker import masked
from devkit.services.stack.docker import ended_with_stdin, working_docker
from devkit.services.stack.project import StackProject
from devkit.stack.ports import HOST
from devkit.stack.probes import amqp_answers
from devkit.stack.service import Service

PROGRAM = "rabbitmq-server"
IMAGE = "rabbitmq:4-management"
IN_IMAGE = "/data"
# Packages put it where only root's PATH leads, and there a wrapper that insists on root; the program itself is here.
FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/lib/rabbitmq/bin")
INSTALL_LINES = {
    "apt-get": "sudo RUNLEVEL=1 apt-get install rabbitmq-server   (RUNLEVEL=1: it is not started as a service)",
    "dnf": "sudo dnf install rabbitmq-server",
    "pacman": "sudo pacman -S rabbitmq",
    "apk": "sudo apk add rabbitmq-server",
    "brew": "brew install rabbitmq",
}
# The data belongs to a node of this name. No other node ever hears it, so that each project can have the same.
NODE = "devkit@localhost"
# Erlang's nodes find one another by epmd, a daemon that outlives them, and listen for one another. This one does
# neither, nor do the processes that RabbitMQ starts each minute to see that epmd runs.
NOBODY = "1"  # a port at which nobody listens
ALONE = f"-start_epmd false -dist_listen false -erl_epmd_port {NOBODY}"
# An Erlang that does not know -dist_listen listens, but to this machine only.
NAMED = f"-sname {NODE} -kernel inet_dist_use_interface {{127,0,0,1}}"


def rabbitmq_service(project: StackProject, name: str, url: str, port: Port, no_redis: str = "") -> Service:
    """What is to answer at `url`, with its user and its virtual host; `no_redis`: why it is no Redis, if that is news.

    Raises DevkitError if it is not installed.
    """
    path = project.environ.get("PATH", "")
    data = project.own_files("rabbitmq")
    shown = os.path.relpath(data, project.settings.root)
    argv: tuple[str, ...]
    if program := find_rabbitmq_server(path):
        folder = _without_spaces(data, project.settings.paths.runtime)
        _write_configuration(folder, data, url, f"{HOST}:{port.number}")
        argv, env, how = (program,), _environ(project.environ, folder), f"embedded {PROGRAM}, data in {shown}"
    elif docker := working_docker(project.environ):
        _write_configuration(IN_IMAGE, data, url, f"0.0.0.0:{port.number}")
        argv, env = _in_docker(docker, data, port.number), dict(project.environ)
        how = f"embedded, docker image {IMAGE}, data in {shown}"
    else:
        raise _not_installed(url, no_redis)
    return Service(
        name=name,
        argv=argv,
        cwd=data,
        env=env,
        ready=amqp_answers(port.number),
        url=masked(url),
        how=how + port.note + (f"; {no_redis}" if no_redis else ""),
        stdin_open=program is None,
        grace_s=10.0,  # it writes down what its queues hold
    )


def _in_docker(docker: str, data: Path, port: int) -> tuple[str, ...]:
    variables = [word for name, value in _environ({}, IN_IMAGE).items() for word in ("--env", f"{name}={value}")]
    options = ("--publish", f"{HOST}:{port}:{port}", "--volume", f"{data}:{IN_IMAGE}", *variables)
    # As above, for images that are made of Debian's package.
    return ended_with_stdin(docker, IMAGE, f'PATH="{FOLDERS[-1]}:$PATH" {PROGRAM}', options, ())


def find_rabbitmq_server(path: str) -> str | None:
    """The program that runs as any user; it has rabbitmq-env beside it, and a wrapper may stand for it."""
    for folder in (*path.split(os.pathsep), *FOLDERS):
        if found := shutil.which(PROGRAM, path=folder or os.curdir):
            beside = Path(found).resolve().parent
            if (beside / "rabbitmq-env").exists():
                return str(beside / PROGRAM)
    return None


def _without_spaces(data: Path, runtime: Path) -> str:
    """Another way to the folder, since RabbitMQ's scripts take a path with a space for two."""
    link = runtime / "rabbitmq"
    make_runtime(runtime)
    link.unlink(missing_ok=True)
    link.symlink_to(data)
    return str(link)


def _write_configuration(folder: str, data: Path, url: str, listens: str) -> None:
    """`folder` is how RabbitMQ itself calls that of the data, `listens` where."""
    parts = urlsplit(url)
    user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
    vhost = unquote(parts.path[1:]) or "/"
    definitions = {
        "users": [{"name": user, "password": password, "tags": "administrator"}],
        "vhosts": [{"name": vhost}],
        "permissions": [{"user": user, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"}],
    }
    settings = {
        "listeners.tcp.1": listens,
        "load_definitions": f"{folder}/definitions.json",
        "log.console.level": "warning",
        "log.connection.level": "error",  # a worker that reloads hangs up without a word, which is worth a warning
    }
    owner = ",".join(str(byte) for byte in os.fsencode(data))
    _write(data / "definitions.json", json.dumps(definitions))
    _write(data / "rabbitmq.conf", "".join(f"{key} = {value}\n" for key, value in settings.items()))
    _write(
        data / "advanced.config",
        f'[{{rabbit, [{{server_properties, [{{<<"{OWNER}">>, longstr, <<{owner}>>}}]}}]}}].\n',
    )
    _write(data / "enabled_plugins", "[].\n")


def _write(path: Path, text: str) -> None:
    """For this user alone: there is a password in it."""
    path.touch(mode=0o600)
    path.write_text(text)


def _environ(environ: Mapping[str, str], folder: str) -> dict[str, str]:
    """All of it is in the project: nothing of what is set for another RabbitMQ, or in /etc, counts."""
    foreign = ("RABBITMQ_", "ERL_", "NOTIFY_SOCKET")
    return {
        **{name: value for name, value in environ.items() if not name.startswith(foreign)},
        "HOME": folder,  # Erlang keeps a cookie there, and reads what it finds
        "ERL_AFLAGS": ALONE,
        "ERL_EPMD_PORT": NOBODY,
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": NAMED,
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
        "RABBITMQ_CONFIG_FILES": f"{folder}/conf.d",
        "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
        "RABBITMQ_MNESIA_BASE": folder,
        "RABBITMQ_MNESIA_DIR": f"{folder}/data",
        "RABBITMQ_PID_FILE": f"{folder}/pid",
        "RABBITMQ_LOG_BASE": f"{folder}/log",
        "RABBITMQ_LOGS": "-",
    }


def _not_installed(url: str, no_redis: str) -> DevkitError:
    mend = [line for tool, line in INSTALL_LINES.items() if shutil.which(tool)][:1]
    return DevkitError(
        f"nothing answers at {masked(url)}, and there is no {PROGRAM} here to start",
        looked=[
            f"{PROGRAM} on PATH and in {', '.join(FOLDERS)}",
            "docker (not installed, or its engine does not answer)",
            *([f"no Redis in its place: {no_redis}"] if no_redis else []),
        ],
        mend=[
            *mend,
            *(["or let the app speak Redis: pip install 'celery[redis]' in its environment"] if no_redis else []),
            "or have the whole stack in containers: devkit up --docker --broker amqp://",
            "or name one that runs: devkit up --broker amqp://USER:PASSWORD@HOST:5672//",
        ],
    )
