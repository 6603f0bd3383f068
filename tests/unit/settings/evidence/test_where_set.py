"""Where in a project's files an environment variable has a value."""

from devkit.settings.evidence.where_set import places
from tests.unit.settings.apps import Write

COMPOSE = """
services:
  worker:
    build: .
    environment:
      - BROKER=redis://redis/0
"""


def test_every_kind_of_file_the_best_one_first(project: Write) -> None:
    root = project(
        {
            "docker-compose.yml": COMPOSE,
            ".env.example": "# mine\nBROKER=x\n",
            ".env.local": "OTHER=1\nexport BROKER='x y'\n",
            "env/dev.env": "BROKER=x\n",
            "config/settings.env": "BROKER=x\n",
            ".envs/.local/.worker": "BROKER=x\n",
            "deploy/Dockerfile.dev": "FROM python\nENV A=1 BROKER=x\nENV BROKER y\n",
            "environment.py": "BROKER=1\n",
            "notes.txt": "BROKER=1\n",
            "empty.env": "BROKER=\n",
        }
    )
    found = places(root, ["BROKER"])

    assert [(one.kind, one.file.relative_to(root).as_posix(), one.line) for one in found if one.kind == "env file"] == [
        ("env file", ".env.local", 2),
        ("env file", "config/settings.env", 1),
        ("env file", "env/dev.env", 1),
        ("env file", ".envs/.local/.worker", 1),
    ]
    rest = [(one.kind, one.file.relative_to(root).as_posix(), one.line, one.service) for one in found[4:]]
    assert rest == [
        ("compose", "docker-compose.yml", 6, "worker"),
        ("example", ".env.example", 2, ""),
        ("Dockerfile", "deploy/Dockerfile.dev", 2, ""),
        ("Dockerfile", "deploy/Dockerfile.dev", 3, ""),
    ]


def test_a_folder_above_and_names_in_any_case(project: Write) -> None:
    root = project({".env": "broker=x\n", "backend/app.py": ""})
    assert [one.file.name for one in places(root / "backend", ["BROKER"])] == [".env"]


def test_an_environment_of_packages_has_no_variables(project: Write) -> None:
    root = project({"env/pyvenv.cfg": "BROKER=x", "env/lib/x.env": "BROKER=x"})
    assert places(root, ["BROKER"]) == []
