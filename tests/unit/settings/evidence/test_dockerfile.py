"""What Dockerfiles say: packages, requirements, variables, commands; and by which names they are known."""

import pytest

from devkit.services.init.template import fill
from devkit.settings.evidence.dockerfile import Dockerfile, dockerfiles, is_dockerfile
from tests.unit.settings.apps import Write

TYPICAL = """\
# syntax=docker/dockerfile:1.4
ARG VERSION=3.12
FROM python:${VERSION}-slim AS build

ENV PYTHONUNBUFFERED=1 \\
    # where the code is
    PYTHONPATH=/srv/app \\

    PIP_NO_CACHE_DIR=off
ENV GREETING hello to all
RUN apt-get update && apt-get install -y --no-install-recommends \\
    # psycopg needs these
    libpq-dev \\
    gcc=4:12.2.0-3 \\
    -t bookworm-backports \\
    git > /dev/null 2>&1 \\
    && rm -rf /var/lib/apt/lists/*  # apt install nothing
RUN <<END
apt-get install -y curl
pip install -r docs/requirements.txt
END
COPY requirements/*.txt /tmp/
RUN --mount=type=cache,target=/pip pip install --upgrade pip -r /tmp/prod.txt && pip3 install -q -r=/tmp/dev.txt
RUN uv pip install --system --requirement requirements.lock; python -m pip install celery

FROM build
WORKDIR /srv
WORKDIR app
ENTRYPOINT ["/entrypoint.sh"]
CMD celery -A jobs worker \\
    --loglevel info
"""


def only(project: Write, text: str) -> Dockerfile:
    (found,) = dockerfiles(project({"Dockerfile": text}))
    return found


def test_a_typical_one(project: Write) -> None:
    found = only(project, TYPICAL)
    first, last = found.stages

    assert found.packages == ("libpq-dev", "gcc", "git", "curl")
    assert found.requirements == ("docs/requirements.txt", "/tmp/prod.txt", "/tmp/dev.txt", "requirements.lock")
    assert [(one.name, one.value, one.line) for one in found.environment] == [
        ("PYTHONUNBUFFERED", "1", 5),
        ("PYTHONPATH", "/srv/app", 5),
        ("PIP_NO_CACHE_DIR", "off", 5),
        ("GREETING", "hello to all", 10),
    ]
    assert (first.name, first.image, last.image) == ("build", "python:3.12-slim", "python:3.12-slim")
    assert (last.workdir, last.entrypoint, last.entrypoint_line) == ("/srv/app", ("/entrypoint.sh",), 29)
    assert last.command == ("/bin/sh", "-c", "celery -A jobs worker --loglevel info")
    assert last.command_line == 30


@pytest.mark.parametrize(
    ("run", "packages"),
    [
        ("apk add --no-cache --virtual .build gcc musl-dev", ("gcc", "musl-dev")),
        ("apt-get -qq install -y $PACKAGES libpq5", ("libpq5",)),
        ("apt install nano;echo done", ("nano",)),
        ("apt install -y nano \\  # to edit\n  gcc", ("nano",)),
        ("apt install -y nano \\\n  # to compile \\\n  gcc", ("nano", "gcc")),
        ("echo 1 # apt-get install gcc", ()),
        ("pip install celery", ()),
        ("apt-get update", ()),
    ],
)
def test_packages(project: Write, run: str, packages: tuple[str, ...]) -> None:
    assert only(project, f"FROM x\nRUN {run}\n").packages == packages


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Dockerfile", True),
        ("dockerfile", True),
        ("Dockerfile.dev", True),
        ("Dockerfile-worker", True),
        ("Dockerfile_worker", True),
        ("DockerfileCelery", True),
        ("worker.Dockerfile", True),
        ("celery.dockerfile", True),
        ("Containerfile", True),
        ("Dockerfile.dockerignore", False),
        ("Dockerfile.md", False),
        ("dockerfiles.txt", False),
        ("read_dockerfile.py", False),
    ],
)
def test_names(name: str, known: bool) -> None:
    assert is_dockerfile(name) is known


def test_devkits_own_is_no_evidence(project: Write) -> None:
    values = dict.fromkeys(("compose", "python", "devkit", "install"), "x")

    assert dockerfiles(project({"Dockerfile.dev": fill("Dockerfile", values)})) == ()


def test_what_makes_no_image_is_nothing(project: Write) -> None:
    root = project({"Dockerfile": "RUN x\nCMD y\n", "a/Dockerfile": "", "b.Dockerfile": b"\xff\xfe\x00FROM x"})

    assert [one.file.name for one in dockerfiles(root)] == []
