"""Projects that run in containers, as compose starts them; and the images for it, made once for all tests.

A test asks for the fixture `images`, which skips it where there is no docker, and starts what it needs:

    with closing(ComposeProject(tmp_path, files, {
        "redis": REDIS,
        "worker": worker(images.devkit, "devkit", "worker", "-A", "tasks", "-c", "1"),
    })) as project:
        project.compose_up("--scale", "worker=3")
        project.devkit("debug", "--list")
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.acceptance.harness import REPOSITORY, Done, Json, Project, wait_until

# Containers work as this user, who is never root, and who can read and write what the tests make.
UID, GID = (os.getuid(), os.getgid()) if os.getuid() else (1000, 1000)
COMPOSE_S = 120.0  # what starting containers may take on a machine that is busy with other tests
INSIDE = "/app"  # where a project's folder is mounted
IMAGES = "devkit-tests"
OLD_S = 3600.0

DOCKERFILE = """
FROM python:3.13-slim AS plain
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN pip install --no-cache-dir --root-user-action=ignore 'celery[redis]>=5.3'

FROM plain AS no-shell
RUN ["python3", "-c", "import os\\nfor name in ('sh', 'bash', 'dash', 'rbash'): os.unlink('/usr/bin/' + name)"]

FROM plain AS devkit
RUN pip install --no-cache-dir --root-user-action=ignore hatchling hatch-vcs {dependencies}
COPY . /source
RUN pip install --no-cache-dir --root-user-action=ignore --no-deps --no-build-isolation /source
"""


@dataclass(frozen=True)
class Images:
    """`plain` has celery and redis, and knows nothing of devkit; nor has `no_shell`, which has no shell either.
    `devkit` has this repository's devkit, and what that needs, in its site-packages."""

    plain: str
    no_shell: str
    devkit: str


def why_no_docker() -> str:
    """Why no test can start containers here; empty where one can."""
    if not shutil.which("docker"):
        return "needs docker; on Debian: apt install docker.io docker-compose"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"needs docker with compose: {' '.join(command)}: {done.stderr.strip()[-200:]}"
    return ""


def build_images() -> Images:
    """The images for this state of the repository. Whoever comes first builds them, also of several processes."""
    with tempfile.TemporaryDirectory() as name, Path(tempfile.gettempdir(), f"{IMAGES}-{UID}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        context = Path(name)
        state = _write_context(context)
        present = _tags()
        _remove_old({tag: made for tag, made in present.items() if not tag.endswith(state)})
        tags = {target: f"{IMAGES}:{target}-{state}" for target in ("plain", "no-shell", "devkit")}
        for target, tag in tags.items():
            if tag not in present:
                _docker("build", "--quiet", "--target", target, "--tag", tag, name)
    return Images(tags["plain"], tags["no-shell"], tags["devkit"])


def _write_context(folder: Path) -> str:
    """All that goes into the images, in a folder; returns what tells this state of it from others."""
    shutil.copytree(REPOSITORY / "devkit", folder / "devkit", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder / name)
    dependencies = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]
    quoted = " ".join(f"'{one}'" for one in dependencies)
    (folder / "Dockerfile").write_text(DOCKERFILE.replace("{dependencies}", quoted))
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _tags() -> dict[str, float]:
    """Every image of ours by its tag, and how many seconds ago it was tagged."""
    tags = _docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", IMAGES).split()
    times = _docker("image", "inspect", "--format", "{{.Metadata.LastTagTime.Unix}}", *tags).split() if tags else []
    return {tag: time.time() - float(moment) for tag, moment in zip(tags, times, strict=True)}


def _remove_old(tags: Mapping[str, float]) -> None:
    """Those of earlier states of the repository; younger ones may be of tests that run now."""
    old = [tag for tag, age in tags.items() if age > OLD_S]
    if old:
        subprocess.run(["docker", "image", "rm", *old], capture_output=True, check=False)  # not what is in use


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


REDIS: Json = {
    "image": "redis:8",
    "command": ["redis-server", "--save", "", "--protected-mode", "no"],
    "ports": ["127.0.0.1::6379"],
}


def worker(image: str, *command: str, mounted: bool = True, **more: object) -> Json:
    """A service of that image that runs `command` where the project's folder is mounted; its Redis is `redis`."""
    return {
        "image": image,
        "command": list(command),
        "init": True,
        "user": f"{UID}:{GID}",
        "working_dir": INSIDE,
        "volumes": [{"type": "bind", "source": ".", "target": INSIDE}] if mounted else [],
        "environment": {
            "CELERY_BROKER_URL": "redis://redis:6379/0",
            "CELERY_RESULT_BACKEND": "redis://redis:6379/1",
        },
        "depends_on": ["redis"],
        **more,
    }


class ComposeProject(Project):
    """A project with a compose file; `services` as in that file, or None where `files` have one.

    Its name for compose is in the environment, so that whoever starts it, devkit as well, starts the same one, which
    no other test has. Files belong to the containers' user.
    """

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, str],
        services: Mapping[str, Json] | None = None,
        *,
        file: str = "docker-compose.yml",
    ) -> None:
        super().__init__(folder, files)
        self.name = f"devkit-test-{uuid4().hex[:12]}"
        self.environ |= {"COMPOSE_PROJECT_NAME": self.name, "DEVKIT_UID": str(UID), "DEVKIT_GID": str(GID)}
        self.environ |= {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
        self._file = file
        if services is not None:
            self.write({file: json.dumps({"services": services}, indent=2)})  # JSON is YAML, too

    def write(self, files: Mapping[str, str]) -> None:
        super().write(files)
        self.give_away()

    def give_away(self) -> None:
        """What root has made in the project becomes the containers' user's."""
        if os.getuid() == 0:
            for path in (self.root, *self.root.rglob("*")):
                with contextlib.suppress(FileNotFoundError):  # a worker has just removed it
                    os.chown(path, UID, GID, follow_symlinks=False)

    def compose(self, *arguments: str) -> Done:
        """Run `docker compose` on the project's file to its end."""
        ended = subprocess.run(
            ["docker", "compose", "--file", self._file, "--project-name", self.name, *arguments],
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMPOSE_S,
            check=False,
        )
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def compose_up(self, *arguments: str) -> None:
        """Start all, and return when it runs; what has a health check is healthy then."""
        self.compose("up", "--detach", "--wait", *arguments).expect(0)

    def containers(self, service: str = "", *, stopped: bool = False) -> list[str]:
        """The names of the running containers, of one service or of all; in order of their numbers."""
        label = "label=com.docker.compose."
        chosen = ["--filter", f"{label}project={self.name}"]
        if service:
            chosen += ["--filter", f"{label}service={service}"]
        return sorted(_docker("ps", *chosen, *(["--all"] if stopped else []), "--format", "{{.Names}}").split())

    def container(self, service: str) -> str:
        """The name of its only one."""
        (name,) = self.containers(service)
        return name

    def logs(self, service: str) -> str:
        """What its containers have printed so far, one after the other."""
        done = [self.run("docker", "logs", name) for name in self.containers(service, stopped=True)]
        return "".join(one.out + one.err for one in done)

    def wait_for_line(self, service: str, text: str, times: int = 1) -> None:
        """Wait until its containers have printed this so many times."""
        wait_until(lambda: self.logs(service).count(text) >= times, why=lambda: f"{text!r}: {self.logs(service)}")

    def inside(self, container: str, *command: str) -> Done:
        """Run a command in a container."""
        return self.run("docker", "exec", container, *command)

    def address(self, service: str, port: int) -> str:
        """The HOST:PORT of this machine at which a port of the service is published."""
        return self.compose("port", service, str(port)).expect(0).out.strip()

    @property
    def redis(self) -> str:
        """The URL of its Redis, as this machine reaches it."""
        return f"redis://{self.address('redis', 6379)}"

    def close(self) -> None:
        """Stop all; neither a container nor a network is left of it, nor an image that was built for it."""
        for started in self.started():
            started.close()
        try:
            self.compose("down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "1").expect(0)
            assert self.containers(stopped=True) == []
        finally:
            super().close()
