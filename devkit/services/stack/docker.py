"""Servers of docker images, where this machine has none of its own: containers that end with devkit."""

import os
import shutil
from collections.abc import Mapping, Sequence


def working_docker(environ: Mapping[str, str]) -> str | None:
    """The docker on PATH, if its engine answers."""
    import subprocess

    docker = shutil.which("docker", path=environ.get("PATH", ""))
    if docker and subprocess.run([docker, "info"], env=environ, capture_output=True, check=False).returncode == 0:
        return docker
    return None


def ended_with_stdin(
    docker: str, image: str, program: str, options: Sequence[str], arguments: Sequence[str]
) -> tuple[str, ...]:
    """The command of a container that runs the program, as this user, and ends with its standard input: so no kill of
    devkit or of docker's client leaves it."""
    # A background process of sh has no standard input of its own, hence the copy.
    script = (
        f'exec 3<&0; {program} "$@" & server=$!; trap "kill $server" INT TERM; '
        "(cat <&3 >/dev/null; kill $server) & wait $server; wait $server"
    )
    return (
        docker, "run", "--rm", "--interactive", "--user", f"{os.getuid()}:{os.getgid()}", *options,
        "--entrypoint", "sh", image, "-c", script, program, *arguments,
    )  # fmt: skip
