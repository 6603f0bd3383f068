"""What docker and compose print when something fails, as errors that say what mends it."""

import re
import sys
from collections.abc import Callable, Sequence

from devkit.errors import DevkitError, UsageError, did_you_mean

ENGINE_IS_OFF = re.compile(
    r"Cannot connect to the Docker daemon|Is the docker daemon running|Couldn't connect to Docker daemon"
    r"|error during connect|FileNotFoundError\(2|ConnectionRefusedError",
    re.IGNORECASE,
)
NOT_ALLOWED = re.compile(r"permission denied while trying to connect|PermissionError\(13", re.IGNORECASE)
PORT_TAKEN = re.compile(r"^.*(?:already allocated|address already in use).*$", re.MULTILINE)
ADDRESS = re.compile(r"(?:[\d.]+|\]):(\d{1,5})\b(?!->)")
BUILD_FAILED = re.compile(r"failed to solve|executor failed running|failed to build", re.IGNORECASE)
NO_SERVICE = re.compile(r"no such service: ?([\w.-]+)", re.IGNORECASE)
BAD_FILE = re.compile(
    r"^(?:yaml: .*|validating .*|.*(?:additional propert|undefined (?:service|volume|network)|invalid compose project"
    r"|Compose file '.*' is invalid|invalid interpolation|depends on undefined|interpolating ).*)$",
    re.MULTILINE | re.IGNORECASE,
)


def no_docker() -> DevkitError:
    """There is no docker command."""
    return DevkitError(
        "docker is not installed",
        looked=["docker on PATH"],
        mend=["install it: https://docs.docker.com/get-docker", "or start the stack without containers: devkit up"],
    )


def explain(
    output: str, file: str, holder: Callable[[int], str], services: Callable[[], Sequence[str]] = tuple
) -> DevkitError:
    """What went wrong, from what docker or compose printed; the user has seen all of that.

    `holder` names the process that has a port, `services` those of the compose file.
    """
    error = _engine(output) or _port(output, file, holder) or _file(output, file, services) or _build(output)
    return error or DevkitError(
        f"docker compose could not start the stack: {_last_line(output) or 'it gave no reason'}"
    )


def _engine(output: str) -> DevkitError | None:
    if NOT_ALLOWED.search(output):
        return DevkitError(
            "docker may not be used by this user: its socket is not open to them",
            looked=[_last_line(output)],
            mend=["join docker's group, then log in again: sudo usermod -aG docker $USER"],
        )
    if ENGINE_IS_OFF.search(output):
        start = "open Docker Desktop" if sys.platform == "darwin" else "sudo systemctl start docker"
        return DevkitError(
            "docker's engine does not run",
            looked=[_last_line(output)],
            mend=[f"start it: {start}", "or start the stack without containers: devkit up"],
        )
    return None


def _port(output: str, file: str, holder: Callable[[int], str]) -> DevkitError | None:
    taken = PORT_TAKEN.search(output)
    address = ADDRESS.search(taken[0]) if taken else None
    if address is None:
        return None
    return DevkitError(
        f"port {address[1]} is taken by {holder(int(address[1]))}",
        mend=[f"stop that, or publish another port in {file}"],
    )


def _file(output: str, file: str, services: Callable[[], Sequence[str]]) -> DevkitError | None:
    if unknown := NO_SERVICE.search(output):
        known = services()
        return UsageError(
            f"there is no service '{unknown[1]}' in {file}{did_you_mean(unknown[1], known)}",
            looked=[f"services: {', '.join(known)}"],
        )
    if wrong := BAD_FILE.search(output):
        return UsageError(f"{file} is not a valid compose file", looked=[_clean(wrong[0])], mend=["correct it"])
    return None


def _build(output: str) -> DevkitError | None:
    if not BUILD_FAILED.search(output):
        return None
    return DevkitError("the image could not be built: see above", mend=["correct that, then start again"])


def _last_line(output: str) -> str:
    return next((line for line in map(_clean, reversed(output.splitlines())) if line), "")


def _clean(line: str) -> str:
    return line.strip().removeprefix("ERROR: ")
