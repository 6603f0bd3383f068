"""What the compose files of a project say: as people write them, and as they break them."""

import os
from pathlib import Path

import pytest

from devkit.services.init.template import FOLDER
from devkit.settings.evidence.compose import ComposeService, compose_services, has_compose_file, read_compose
from devkit.settings.evidence.compose_file import OWN
from devkit.settings.files import LARGEST
from tests.unit.settings.apps import Write

TYPICAL = """\
version: "3.8"

x-backend: &backend
  build:
    context: ./backend
    dockerfile: docker/Dockerfile.dev
  environment: &env
    BROKER: redis://redis:6379/0
    DEBUG: yes
  env_file:
    - .env
    - path: secrets.env
      required: false
  volumes:
    - ./backend:/app
    - cache:/cache
    - type: bind
      source: ./data
      target: /data
  depends_on: [redis, db]

services:
  api:
    <<: *backend
    command: uvicorn app.main:app --host 0.0.0.0 --reload
    ports: ["127.0.0.1:8000:80", "5678:5678/tcp", "9000"]
  worker:
    <<: *backend
    working_dir: /app/src
    entrypoint: ["/entrypoint.sh"]
    command:
      - celery
      - -A
      - app.worker
      - worker
    environment:
      <<: *env
      BROKER: amqp://rabbitmq:5672//
    profiles: [background]
  db:
    image: postgres:16
    ports:
      - target: 5432
        published: "5433"
    depends_on:
      redis: {condition: service_started}
  redis:
    image: redis:7
    ports: ["7000-7002:6379-6381", "53:53/udp"]

volumes: {cache: }
"""


def named(root: Path) -> dict[str, ComposeService]:
    """By name; the last of each."""
    return {service.name: service for service in compose_services(root)}


def environment(service: ComposeService) -> dict[str, str]:
    return {one.name: one.value for one in service.environment}


def test_a_typical_file(project: Write) -> None:
    root = project({"docker-compose.yml": TYPICAL})
    found = named(root)

    assert list(found) == ["api", "worker", "db", "redis"]
    api, worker = found["api"], found["worker"]
    assert api.command == ("uvicorn", "app.main:app", "--host", "0.0.0.0", "--reload")
    assert (api.file.name, api.line, api.command_line) == ("docker-compose.yml", 25, 25)
    assert (api.context, api.dockerfile) == (root / "backend", "docker/Dockerfile.dev")
    assert api.env_files == (root / ".env", root / "secrets.env")
    assert api.mounts == ((root / "backend", "/app"), (root / "data", "/data"))
    assert api.ports == ((8000, 80), (5678, 5678))
    assert api.depends_on == ("redis", "db")
    assert environment(api) == {"BROKER": "redis://redis:6379/0", "DEBUG": "yes"}
    assert worker.entrypoint == ("/entrypoint.sh",)
    assert worker.command == ("celery", "-A", "app.worker", "worker")
    assert worker.working_dir == "/app/src"
    assert worker.profiles == ("background",)
    assert environment(worker) == {"BROKER": "amqp://rabbitmq:5672//", "DEBUG": "yes"}
    assert [(one.name, one.line) for one in worker.environment] == [("BROKER", 38), ("DEBUG", 9)]
    assert found["db"].ports == ((5433, 5432),)
    assert found["db"].depends_on == ("redis",)
    assert (found["db"].image, found["db"].context, found["db"].line) == ("postgres:16", None, 40)
    assert found["redis"].ports == ((7000, 6379), (7001, 6380), (7002, 6381))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("celery -A a worker", ("celery", "-A", "a", "worker")),
        ("bash -c 'cd src && celery -A a worker'", ("bash", "-c", "cd src && celery -A a worker")),
        (">\n      bash -c \"sleep 1\n      && uvicorn a:b\"", ("bash", "-c", "sleep 1 && uvicorn a:b")),
        ("|\n      celery -A a\n      worker", ("celery", "-A", "a", "worker")),
        ("[celery, -A, a, worker]", ("celery", "-A", "a", "worker")),
        ("celery -A ${APP:-shop} worker -c ${N}", ("celery", "-A", "shop", "worker", "-c", "${N}")),
        ("sh -c 'echo $$HOME $$(date) $1'", ("sh", "-c", "echo $HOME $(date) $1")),
        ("echo 'unclosed", ("echo", "'unclosed")),
        ("", ()),
        ("null", ()),
        ("[]", ()),
    ],
)  # fmt: skip
def test_commands_are_words(project: Write, text: str, words: tuple[str, ...]) -> None:
    root = project({"compose.yaml": f"services:\n  a:\n    image: x\n    command: {text}\n"})

    assert named(root)["a"].command == words


@pytest.mark.parametrize(
    ("text", "value", "unset"),
    [
        ("${HOST:-db}", "db", ()),
        ("${HOST-db}", "db", ()),
        ("${HOST:?tell me}", "", ("HOST",)),
        ("postgres://$USER_NAME:${PASSWORD}@db/x", "postgres://:@db/x", ("USER_NAME", "PASSWORD")),
        ("${A:-${SET:-c}}", "yes", ()),
        ("${EMPTY:-full}", "full", ()),
        ("${EMPTY-full}", "", ()),
        ("${SET:+on}${A:+off}", "on", ()),
        ("$${SET}", "${SET}", ()),
        ("cost $5", "cost $5", ()),
        ("${unclosed", "${unclosed", ()),
        ("${SET}/x", "yes/x", ()),
    ],
)
def test_variables_in_values(project: Write, text: str, value: str, unset: tuple[str, ...]) -> None:
    root = project({
        "compose.yml": f"services:\n  a:\n    image: x\n    environment:\n      - V={text}\n",
        ".env": "SET=yes\nEMPTY=\n",
    })  # fmt: skip

    assert [(one.value, one.unset, one.line) for one in named(root)["a"].environment] == [(value, unset, 5)]


def test_a_variable_without_a_value_comes_from_the_shell_or_the_env_file_beside(project: Write) -> None:
    root = project({
        "deploy/compose.yml": "services:\n  a:\n    image: x\n    environment:\n      - TOKEN\n      - SET\n  b:\n"
        "    image: x\n    environment:\n      TOKEN:\n      SET:\n",
        ".env": "SET=far\n",
        "deploy/.env": "SET=near\n",
    })  # fmt: skip

    for service in named(root).values():
        assert [(one.name, one.value, one.unset) for one in service.environment] == [
            ("TOKEN", "", ("TOKEN",)),
            ("SET", "near", ()),
        ]


def test_files_that_are_used_together(project: Write) -> None:
    base = "services:\n  web:\n    build: .\n    command: uvicorn a:app\n    environment: {A: 1, B: 1}\n"
    base += "  db: {image: pg}\n"
    root = project({
        "docker-compose.yml": base,
        "docker-compose.override.yml": "services:\n  web:\n    environment: [B=2, C=2]\n    command: fastapi dev\n"
        "  mail: {image: mailhog}\n",
        "docker-compose.dev.yml": "services:\n  web:\n    ports: ['8000:8000']\n",
        "docker-compose.prod.yml": "services:\n  web:\n    image: shop\n    command: gunicorn a:app\n",
    })  # fmt: skip
    found = compose_services(root)

    assert [(one.name, one.command[:1], one.image) for one in found] == [
        ("web", ("fastapi",), ""),
        ("db", (), "pg"),
        ("mail", (), "mailhog"),
        ("web", ("uvicorn",), ""),
        ("web", ("gunicorn",), "shop"),
    ]
    assert environment(found[0]) == {"A": "1", "B": "2", "C": "2"}
    assert (found[0].file.name, found[0].line) == ("docker-compose.override.yml", 4)
    assert (found[3].context, found[3].ports) == (root, ((8000, 8000),))
    assert environment(found[4]) == {}


def test_what_is_extended_from_another_file_has_that_files_folder(project: Write) -> None:
    root = project({
        "compose.yml": "services:\n  worker:\n    extends: {file: common/base.yml, service: app}\n    command: run me\n"
        "  again:\n    extends: worker\n  round:\n    extends: round\n  gone:\n"
        "    extends: {file: no.yml, service: x}\n",
        "common/base.yml": "services:\n  app:\n    build: ..\n    env_file: app.env\n    environment: {A: 1}\n",
    })  # fmt: skip
    found = {one.name: one for one in reversed(compose_services(root))}

    assert found["again"].command == ("run", "me")
    for name in ("worker", "again"):
        assert found[name].context == root
        assert found[name].env_files == (root / "common" / "app.env",)
        assert environment(found[name]) == {"A": "1"}
    assert found["gone"].command == found["round"].command == ()


@pytest.mark.parametrize("tag", ["!reset", "!override"])
def test_an_override_can_take_back(project: Write, tag: str) -> None:
    root = project({
        "compose.yml": "services:\n  a:\n    image: x\n    ports: ['1:1']\n",
        "compose.override.yml": f"services:\n  a:\n    ports: {tag} ['2:2']\n",
    })  # fmt: skip

    assert named(root)["a"].ports == (() if tag == "!reset" else ((2, 2),))


def test_where_files_are_looked_for(project: Write) -> None:
    entry = "services:\n  {0}: {{image: {0}}}\n"
    root = project({
        ".git/HEAD": "",
        "compose.yml": entry.format("above"),
        "backend/app/main.py": "",
        "backend/stack.yaml": entry.format("odd"),
        "backend/docker-compose.test.yml": entry.format("testing"),
        "backend/a/b/c/compose.yml": entry.format("deep"),
        "backend/a/b/c/d/compose.yml": entry.format("toodeep"),
        "backend/node_modules/compose.yml": entry.format("ignored"),
        "backend/tests/compose.yml": entry.format("aside"),
        "backend/.hidden.yml": entry.format("hidden"),
        "backend/config.yml": "services:\n  mailer: {class: Mailer}\n",
        "other/compose.yml": entry.format("sibling"),
        "backend/local.yml": entry.format("local"),
    })  # fmt: skip

    names = [one.name for one in compose_services(root / "backend")]
    assert names == ["local", "odd", "above", "deep", "testing", "aside"]


def test_devkits_own_file_is_no_evidence(project: Write) -> None:
    text = (FOLDER / "docker-compose.yml").read_text()
    assert text.startswith(OWN)
    root = project({"docker-compose.dev.yml": f"{OWN}\nservices:\n  worker: {{image: x}}\n"})

    assert compose_services(root) == ()
    assert has_compose_file(root)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"services:\n  a: [unclosed\n", "line 3: "),
        (b"services:\n  a: {{ name }} here\n  b:\n", "line 2: "),
        (b"services:\n\t- tab\n", "line 2: "),
        (b"services: {a: {image: x}}\n---\nservices: {}\n", "line 2: "),
        (b"services: *nowhere\n", "line 1: "),
        (b"services:\n  a: " + b"[" * 20_000, ""),
        (b"services:\n  a: \x00\n", ""),
        (b"services:\n" + b"# much\n" * LARGEST, "larger than 1 MiB"),
    ],
)
def test_a_broken_file_is_passed_over_with_a_word(project: Write, text: bytes, why: str) -> None:
    root = project({"docker-compose.yml": text, "docker/compose.yml": "services:\n  a: {image: x}\n"})
    found = read_compose(root)

    assert [one.name for one in found.services] == ["a"]
    assert len(found.notes) == 1
    assert found.notes[0].startswith(f"docker-compose.yml is passed over: {why}")
    assert "\n" not in found.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "services:",
        "services: []",
        "services: text",
        "services: [a, b]",
        "services: {a: }",
        "services: {a: text}",
        "services: {a: [image, x]}",
        "services: {a: {image: {x: y}, command: {x: y}, build: [1], ports: {a: b}, environment: text, volumes: x}}",
        "services: {a: {image: x, ports: [[1], {}, 'a:b', '99999999999:1', -1]}}",
        "services: {a: {image: x, volumes: [[], {}, '', ':'], env_file: []}}",
        "services: {a: {image: x, environment: ['=', '', 'A==b', [x]], depends_on: x, profiles: x, extends: []}}",
        "services: &s\n  a: &a\n    <<: *a\n    image: x\n  <<: *s\n",
        "a: &a {x: 1}\nb: &b {<<: [*a, *a, *a]}\nservices: {a: {<<: [*b, *b, *b], image: x}}",
        "? [complex, key]\n: 1\nservices:\n  ? {a: b}\n  : {image: x}\n",
        "- services:\n    a: 1\n",
    ],
)  # fmt: skip
def test_what_is_no_service_is_nothing(project: Write, text: str) -> None:
    root = project({"compose.yml": text})

    assert read_compose(root).notes == ()
    assert {one.name for one in compose_services(root)} <= {"a"}


def test_aliases_upon_aliases_take_no_time(project: Write) -> None:
    lines = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 40)]
    root = project({"compose.yml": "\n".join([*lines, "services: {a: {<<: *a39, image: x}}"])})

    assert [one.image for one in compose_services(root)] == ["x"]


def test_links_pipes_and_folders_in_place_of_files(project: Write) -> None:
    root = project({"compose.yml/inside.txt": "", "app/compose.yml": "services:\n  a: {image: x}\n"})
    (root / "app" / "round").symlink_to(root)
    (root / "docker-compose.yml").symlink_to("docker-compose.yml")
    (root / "gone.yml").symlink_to("nowhere.yml")
    os.mkfifo(root / "pipe-compose.yml")

    assert [one.name for one in compose_services(root)] == ["a"]
