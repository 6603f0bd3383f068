"""The start lines of whole projects, as people lay them out: what is started, by which file, from which folder."""

import json
import os
from pathlib import Path

import pytest

from devkit.settings.evidence.launch import start_lines
from devkit.settings.evidence.line import StartLine
from tests.unit.settings.apps import API, APP, Write

Files = dict[str, str]
CELERY = "celery -A app.worker worker"
CODE: Files = {"app/worker.py": APP, "app/main.py": API}


def brief(root: Path, line: StartLine) -> str:
    """`worker app.worker  scripts/start.sh:3  .`: what, where it is written, and the first folder."""
    folder = os.path.relpath(line.folders[0], root)
    return f"{line.program} {line.spec}  {line.file.relative_to(root)}:{line.line}  {folder}"


def told(root: Path) -> list[str]:
    return [brief(root, line) for line in start_lines(root)]


@pytest.mark.parametrize(
    ("name", "text", "line", "service"),
    [
        ("Procfile", f"web: gunicorn x\nworker: {CELERY} -c 2\n", 2, "worker"),
        ("Procfile.dev", f"# all\nqueue:   poetry run {CELERY}\n", 2, "queue"),
        ("Makefile", "N := app\n.PHONY: w\nw: ## It\n\t@$(RUN) celery -A $(N).worker \\\n\t  worker\n", 4, "w"),
        ("makefile", f"run-worker:\n\tcd . && {CELERY}\n", 2, "run-worker"),
        ("tools.mk", f"w:\n\t{CELERY} &\n", 2, "w"),
        ("justfile", "app := 'app.worker'\n\n# it\nw *args:\n    @celery -A {{app}} worker {{args}}\n", 5, "w"),
        ("Taskfile.yml", f"version: 3\ntasks:\n  w:\n    cmds:\n      - echo\n      - {CELERY}\n", 6, "w"),
        ("taskfile.yaml", f"tasks:\n  w: {CELERY}\n", 2, "w"),
        ("pyproject.toml", f"[tool.poe.tasks]\nx = 'echo'\nworker = {{ cmd = '{CELERY}' }}\n", 3, "worker"),
        ("pyproject.toml", f"[tool.pdm.scripts]\nworker = '{CELERY}'\n", 2, "worker"),
        ("pyproject.toml", f"[tool.pdm.scripts]\nworker = {{shell = '{CELERY}'}}\n", 2, "worker"),
        ("pyproject.toml", f"[tool.taskipy.tasks]\nworker = '{CELERY}'\n", 2, "worker"),
        ("pyproject.toml", f"[tool.hatch.envs.dev.scripts]\nworker = [\n  'echo',\n  '{CELERY}',\n]\n", 4, "worker"),
        ("fly.toml", f"app = 'x'\n[processes]\nworker = '{CELERY}'\n", 3, "worker"),
        ("railway.toml", f"[deploy]\nstartCommand = '{CELERY}'\n", 2, "deploy"),
        ("render.yaml", f"services:\n  - type: worker\n    name: jobs\n    startCommand: {CELERY}\n", 4, "jobs"),
        ("heroku.yml", f"run:\n  worker: {CELERY}\n", 2, "worker"),
        ("package.json", json.dumps({"scripts": {"worker": CELERY}}, indent=1), 3, "worker"),
        ("supervisord.conf", f"[unix]\nfile=x\n\n[program:jobs]\ncommand={CELERY}\n    -c %(ENV_N)s ; so\n", 5, "jobs"),
        ("deploy/celery.ini", f"[program:jobs]\ndirectory=%(here)s/..\ncommand = {CELERY}\n", 3, "jobs"),
        ("deploy/jobs.service", f"[Unit]\nAfter=x\n[Service]\nExecStart=/srv/bin/{CELERY} \\\n  -l info\n", 4, "jobs"),
        ("start-worker.sh", f"#!/bin/bash\nset -e\n\nexec {CELERY} \"$@\"\n", 4, ""),
        ("run.bat", f"@echo off\r\nREM {CELERY}\r\ncall venv\\Scripts\\activate\r\n{CELERY} --pool=solo\r\n", 4, ""),
        ("run.cmd", f"start \"Jobs\" cmd /k \"venv\\Scripts\\{CELERY}\"\r\n", 1, ""),
        ("run.ps1", "# It\n.\\venv\\Scripts\\celery.exe -A app.worker `\n  worker\n", 2, ""),
        ("start-worker", f"#!/bin/sh\n{CELERY}\n", 2, ""),
        ("bin/worker", f"{CELERY}\n", 1, ""),
        ("compose/local/celery/worker/start", f"#!/bin/bash\nwatchmedo auto-restart -d . -- {CELERY}\n", 2, ""),
        (".vscode/tasks.json", json.dumps({"tasks": [{"label": "jobs", "command": CELERY}]}), 1, "jobs"),
        ("README.md", f"# Shop\n\nStart it:\n\n```bash\n$ cd shop\n$ {CELERY}\n```\n", 7, ""),
        ("README.md", f"Start it:\n\n    {CELERY}\n", 3, ""),
        ("README.rst", f"Start it::\n\n   (venv) $ {CELERY}\n", 3, ""),
        ("README", f"Start it:\n$ {CELERY}\n", 2, ""),
        ("docs/run.md", f"1. Then:\n   ```\n   {CELERY}\n   ```\n", 3, ""),
        ("README.md", f"Run `{CELERY}` in another terminal.\n", 1, ""),
        ("manage_all.py", f"import subprocess\nsubprocess.run('{CELERY}', shell=True)\n", 2, ""),
        ("manage_all.py", f"import sys, subprocess\n\nsubprocess.Popen({['python', '-m', *CELERY.split()]})\n", 3, ""),
        ("manage_all.py", f"import sys, subprocess\nCOMMAND = [sys.executable, '-m'] + {CELERY.split()}\n", 2, ""),
        ("tasks.py", f"from invoke import task\n@task\ndef worker(c):\n    c.run('{CELERY}', pty=True)\n", 4, ""),
        ("manage_all.py", f"import os\nos.system(f'{CELERY} -c {{n}}')\n", 2, ""),
    ],
)  # fmt: skip
def test_each_kind_of_file(project: Write, name: str, text: str, line: int, service: str) -> None:
    root = project({**CODE, name: text})

    found = [one for one in start_lines(root) if one.program == "worker"]
    assert [brief(root, one) for one in found] == [f"worker app.worker  {name}:{line}  ."]
    assert found[0].service == service


LAUNCH = """\
{
  // what F5 starts
  "version": "0.2.0",
  "configurations": [
    {"name": "Not // a comment", "module": "pytest", "args": ["a, ]"]},
    {
      "name": "API",
      "type": "debugpy",
      "module": "uvicorn",
      "args": ["main:app", "--reload"],
      "cwd": "${workspaceFolder}/backend", /* there */
      "env": {"MODE": "dev"},
    },
    {
      "name": "Worker",
      "program": "${workspaceFolder}/backend/run.py",
      "args": [],  // none
    },
  ]
}
"""
PYCHARM = """\
<component name="ProjectRunConfigurationManager">
  <configuration default="false" name="worker" type="PythonConfigurationType">
    <option name="WORKING_DIRECTORY" value="$PROJECT_DIR$/backend" />
    <envs><env name="MODE" value="a &amp; b" /></envs>
    <option name="SCRIPT_NAME" value="celery" />
    <option name="PARAMETERS" value="-A jobs worker -Q &quot;a&quot;" />
    <option name="MODULE_MODE" value="true" />
  </configuration>
</component>
"""


def test_what_editors_run(project: Write) -> None:
    root = project({
        ".vscode/launch.json": LAUNCH,
        ".run/worker.run.xml": PYCHARM,
        "backend/main.py": API,
        "backend/jobs.py": APP,
        "backend/run.py": "from jobs import app\n\nif True:\n    app.worker_main(['worker', '-P', 'solo'])",
    })  # fmt: skip
    lines = start_lines(root)

    assert told(root) == [
        "worker jobs  .run/worker.run.xml:2  backend",
        "api main:app  .vscode/launch.json:7  backend",
        "worker run.py:app  backend/run.py:4  backend",
    ]
    assert (lines[0].queues, lines[0].environ, lines[0].service) == ("a", {"MODE": "a & b"}, "worker")
    assert (lines[1].environ, lines[2].pool) == ({"MODE": "dev"}, "solo")


def test_the_most_trustworthy_first(project: Write) -> None:
    line = "celery -A {} worker".format
    root = project({
        "README.md": f"```\n{line('readme')}\n{line('readme2')}\n```",
        "app/run.py": f"import subprocess; subprocess.run({line('python').split()})",
        "Makefile": f"w:\n\t{line('make')}\n",
        "scripts/start.sh": line("script"),
        "Procfile": f"w: {line('procfile')}",
        "Dockerfile": f"FROM python\nCMD {line('image')}",
        "docker-compose.yml": f"services:\n  w:\n    image: x\n    command: {line('compose')}\n",
        "docs/compose.yml": f"services:\n  w:\n    image: x\n    command: {line('docs')}\n",
        "tests/start.sh": line("tests"),
    })  # fmt: skip

    order = ["compose", "image", "procfile", "script", "make", "python", "readme", "readme2", "docs", "tests"]
    assert [one.spec for one in start_lines(root)] == order


def test_a_container_is_seen_as_the_folder_that_it_mounts(project: Write) -> None:
    root = project({
        "docker-compose.yml": "services:\n  api:\n    image: python\n    working_dir: /code\n"
        "    volumes: [./backend:/code]\n    command: uvicorn app.main:app\n  jobs:\n"
        "    build: ./jobs\n    volumes: ['./jobs/src:/srv/src']\n"
        "    command: sh -c 'cd src && celery -A jobs worker'\n",
        "backend/app/main.py": API,
        "jobs/Dockerfile": "FROM python:3.12\nWORKDIR /srv\nCOPY . .\n",
        "jobs/src/jobs.py": APP,
    })  # fmt: skip

    assert told(root) == [
        "api app.main:app  docker-compose.yml:6  backend",
        "worker jobs  docker-compose.yml:10  jobs/src",
    ]


@pytest.mark.parametrize(
    ("copies", "folder"),
    [
        ("WORKDIR /app\nCOPY backend/ /app", "backend"),
        ("WORKDIR /app\nCOPY backend ./", "backend"),
        ("WORKDIR /app\nADD ./backend/ .", "backend"),
        ("WORKDIR /app\nCOPY --chown=app:app backend/. /app/", "backend"),
        ('WORKDIR /app\nCOPY ["backend/", "/app/"]', "backend"),
        ("WORKDIR /app\nCOPY backend/jobs.py requirements.txt ./", "backend"),
        ("COPY . /app\nWORKDIR /app/backend", "backend"),
        ("COPY requirements.txt backend/jobs.py /", "backend"),
        ("ENV HOME=/srv\nWORKDIR $HOME\nCOPY backend $HOME", "backend"),
        ("ARG D=/srv\nWORKDIR ${D}/x\nCOPY backend ${D}/x", "backend"),
        ("WORKDIR /code\nCOPY backend /code/backend\nENV PYTHONPATH=/code/backend:$PYTHONPATH", "backend"),
        ("WORKDIR /code\nCOPY . .\nENV PYTHONPATH /code/backend", "backend"),
        ("FROM python AS base\nWORKDIR /app\nFROM base\nCOPY backend/*.py .\nCOPY --from=base /app /other", "backend"),
    ],
)
def test_an_image_is_seen_as_the_folder_that_it_copies(project: Write, copies: str, folder: str) -> None:
    root = project({
        "Dockerfile": f"FROM python:3.12\n{copies}\nCMD [\"celery\", \"-A\", \"jobs\", \"worker\"]\n",
        "backend/jobs.py": APP,
        "requirements.txt": "celery",
    })  # fmt: skip

    assert [one.split("  ")[2] for one in told(root)] == [folder]


CASE = '#!/bin/sh\n\ncase "$1" in\n  worker) celery -A app.worker worker;;\n  *) exec uvicorn app.main:app;;\nesac\n'


@pytest.mark.parametrize(
    ("service", "dockerfile", "script", "expected"),
    [
        ("command: /start-worker", "COPY ./docker/worker/start /start-worker", "docker/worker/start", "worker"),
        ("command: start-worker", "COPY docker/start-worker /usr/local/bin/", "docker/start-worker", "worker"),
        ("command: ./scripts/worker.sh", "COPY . .", "scripts/worker.sh", "worker"),
        ("command: bash scripts/worker.sh", "COPY . .", "scripts/worker.sh", "worker"),
        ("command: ['/bin/sh', '-c', './worker.sh']", "COPY . .", "worker.sh", "worker"),
        ("entrypoint: /worker.sh", "", "docker/worker.sh", "worker"),
        ("command: /start", 'ENTRYPOINT ["/entrypoint"]\nCOPY start entrypoint /', "start", "worker"),
        ("restart: always", 'COPY docker/start.sh /start.sh\nCMD ["/start.sh"]', "docker/start.sh", "worker"),
        ("restart: always", "COPY . .\nENTRYPOINT ./start.sh", "start.sh", "worker"),
        ("command: worker", 'COPY docker/go.sh /go.sh\nENTRYPOINT ["/go.sh"]', "docker/go.sh", "case worker"),
        ("restart: always", 'COPY docker/go.sh /go.sh\nENTRYPOINT ["/go.sh"]\nCMD ["api"]', "docker/go.sh", "case api"),
    ],
)  # fmt: skip
def test_scripts_that_containers_call(
    project: Write, service: str, dockerfile: str, script: str, expected: str
) -> None:
    case, program = expected.startswith("case"), expected.removeprefix("case ")
    text = CASE if case else f"#!/bin/sh\n{CELERY}\n"
    root = project({
        **CODE,
        "compose.yaml": f"services:\n  jobs:\n    build: .\n    {service}\n",
        "Dockerfile": f"FROM python:3.12\nWORKDIR /app\n{dockerfile}\n",
        script: text,
        "entrypoint": '#!/bin/sh\nexec "$@"\n',
    })  # fmt: skip
    found = [one for one in start_lines(root) if one.service == "jobs"]

    line = {"worker": 4 if case else 2, "api": 5}[program]
    assert [(one.program, one.file.relative_to(root).as_posix(), one.line) for one in found] == [
        (program, script, line)
    ]


def test_an_image_that_another_service_builds(project: Write) -> None:
    root = project({
        "compose.yml": "services:\n  api:\n    build: ./backend\n    image: shop\n  jobs:\n    image: shop\n"
        f"    command: {CELERY}\n",
        "backend/Dockerfile": "FROM tiangolo/uvicorn-gunicorn-fastapi:python3.9\nCOPY ./app /app/app\nWORKDIR /app/\n",
        **{f"backend/{name}": text for name, text in CODE.items()},
    })  # fmt: skip

    assert told(root) == [
        "api app.main:app  backend/Dockerfile:1  backend",
        "worker app.worker  compose.yml:7  backend",
    ]


def test_stages_and_targets(project: Write) -> None:
    root = project({
        **CODE,
        "compose.yml": "services:\n  jobs:\n    build: {context: ., target: Dev}\n",
        "Dockerfile": "# syntax=docker/dockerfile:1\nARG V=3.12\nFROM python:${V} AS base\nWORKDIR /app\nCOPY . .\n"
        "FROM base AS dev\nENV QUEUE=slow\nCMD celery -A app.worker worker -Q $QUEUE\n"
        "FROM base AS prod\nCMD [\"gunicorn\", \\\n  # many\n  \"app.main:app\"]\n",
    })  # fmt: skip
    lines = start_lines(root)

    assert told(root) == ["worker app.worker  Dockerfile:8  .", "api app.main:app  Dockerfile:10  ."]
    assert (lines[0].queues, lines[0].service, lines[0].environ["QUEUE"]) == ("slow", "jobs", "slow")


def test_python_files_that_are_started(project: Write) -> None:
    root = project({
        "Procfile": "api: python main.py\nsite: python site/wsgi.py\njobs: python -m jobs.run\nother: python tool.py\n",
        "main.py": "import uvicorn\nfrom shop import make\n\nuvicorn.run('shop:make', factory=True, port=1)\n",
        "shop.py": API,
        "site/wsgi.py": "from flask import Flask\napp = Flask('x')\nif 1:\n    app.run(debug=True)\n",
        "jobs/run.py": "from jobs import app\napp.worker_main(argv=['worker', '-Q', 'a'])\n",
        "jobs/__init__.py": APP,
        "tool.py": "import uvicorn\napp = 1\nuvicorn.run(app)\n",
    })  # fmt: skip

    assert told(root) == [
        "api shop:make  main.py:4  .",
        "api wsgi.py  site/wsgi.py:4  site",
        "worker jobs:app  jobs/run.py:2  .",
        "api tool.py:app  tool.py:3  .",
    ]
    assert [one.server for one in start_lines(root)] == ["uvicorn", "python", "", "uvicorn"]
    assert start_lines(root)[0].factory


def test_a_script_that_a_readme_names(project: Write) -> None:
    root = project({
        "README.md": "1. Start it: `venv/bin/python app.py`, then look at `app.py`.\n",
        "app.py": "from flask import Flask\napp = Flask('x')\napp.run()\n",
    })  # fmt: skip

    assert told(root) == ["api app.py  app.py:3  ."]


def test_what_lies_above_counts_within_the_repository_only(project: Write) -> None:
    files = {"Makefile": "w:\n\tcelery -A jobs worker\n", "compose.yml": "services: {a: {image: x}}"}
    root = project({**files, "api/jobs.py": APP, "repository/.git/HEAD": ""})
    project({f"repository/{name}": text for name, text in {**files, "jobs/jobs.py": APP}.items()})

    assert told(root / "api") == []
    assert [one.spec for one in start_lines(root / "repository" / "jobs")] == ["jobs"]


def test_flask_and_django(project: Write) -> None:
    root = project({
        "compose.yml": "services:\n  web:\n    build: .\n    environment: [FLASK_APP=shop:create]\n"
        "    command: flask run\n  admin:\n    build: .\n    command: python src/manage.py runserver 0.0.0.0:8000\n",
        "Dockerfile": "FROM python\nWORKDIR /a\nCOPY . .\n",
        "shop.py": "",
        "src/manage.py": "",
    })  # fmt: skip

    assert told(root) == ["api shop:create  compose.yml:5  .", "api   compose.yml:8  src"]
    assert [one.server for one in start_lines(root)] == ["flask", "django"]


def test_a_project_within_a_repository(project: Write) -> None:
    root = project({
        ".git/HEAD": "",
        "docker-compose.yml": "services:\n  api:\n    build: ./web\n    command: uvicorn main:app\n  jobs:\n"
        "    build: ./jobs\n    command: celery -A tasks worker\n",
        "web/Dockerfile": "FROM python\nWORKDIR /a\nCOPY . .\n",
        "jobs/Dockerfile": "FROM python\nWORKDIR /a\nCOPY . .\n",
        "Makefile": "jobs:\n\tcd jobs && celery -A tasks worker\nweb:\n\tcd web && fastapi dev\n",
        "web/main.py": API,
        "jobs/tasks.py": APP,
    })  # fmt: skip

    lines = start_lines(root / "jobs")
    assert [brief(root, one) for one in lines] == [
        "worker tasks  docker-compose.yml:7  jobs",
        "worker tasks  Makefile:2  jobs",
    ]


def test_folders_of_a_container_count_for_what_runs_in_it(project: Write) -> None:
    root = project({
        "Dockerfile": "FROM python\nWORKDIR /code\nCOPY backend /code\nCMD supervisord -c /etc/supervisord.conf\n",
        "deploy/supervisord.conf": "[program:api]\ndirectory=/code\ncommand=uvicorn main:app\n",
        "deploy/start.sh": "cd /code/shop\ncelery -A jobs worker\n",
        "backend/main.py": API,
        "backend/shop/jobs.py": APP,
    })  # fmt: skip

    assert told(root) == [
        "api main:app  deploy/supervisord.conf:3  backend",
        "worker jobs  deploy/start.sh:2  backend/shop",
    ]


@pytest.mark.parametrize(
    ("source", "spec", "factory"),
    [
        ("from shop import app\nuvicorn.run(app)", "shop:app", False),
        ("from shop import app as a\nuvicorn.run(a)", "shop:app", False),
        ("from shop import app\nif __name__ == '__main__':\n    uvicorn.run(app)", "start.py:app", False),
        ("from .shop import app\nuvicorn.run(app)", "start.py:app", False),
        ("app = FastAPI()\nuvicorn.run(app)", "start.py:app", False),
        ("def main():\n    app = make()\n    uvicorn.run(app)", "start.py:make", True),
        ("from shop import make\nuvicorn.run(make())", "shop:make", True),
        ("app = make(1)\nif 1:\n    uvicorn.run(app)", "start.py:app", False),
    ],
)
def test_which_app_code_serves(project: Write, source: str, spec: str, factory: bool) -> None:
    root = project({"start.py": f"import uvicorn\n{source}\n"})

    assert [(one.spec, one.factory) for one in start_lines(root)] == [(spec, factory)]


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("celery -A shop.jobs worker", "backend"),
        ("celery -A shop.jobs.app worker", "backend"),
        ("celery -A shop worker", "backend"),
        ("celery -A jobs worker", "backend/shop"),
        ("fastapi dev shop/main.py", "backend"),
        ("uvicorn main:app", "backend/shop"),
        ("uvicorn nowhere:app", "."),
    ],
)
def test_people_leave_out_that_they_go_there_first(project: Write, line: str, folder: str) -> None:
    root = project({
        "README.md": f"```\n{line}\n```\n",
        "backend/shop/__init__.py": "",
        "backend/shop/jobs.py": APP,
        "backend/shop/main.py": API,
        "tests/shop/jobs.py": APP,
    })  # fmt: skip

    assert [one.rpartition("  ")[2] for one in told(root)] == [folder]


def test_code_that_starts_itself(project: Write) -> None:
    root = project({
        "a.py": "import uvicorn\nuvicorn.run(make(), port=1)\n",
        "b.py": "from uvicorn import Config, Server\nServer(Config('a:app'))\n",
        "c.py": "from celery import Celery\napp = Celery('x')\napp.Worker(concurrency=1).start()\n",
        "d.py": "import celery\ndef main():\n    celery.start(argv=['-A', 'c', 'worker', '-Q', 'q'])\n",
        "f.py": "from c import app\napp.worker_main(['worker', '-Q', 'q'])\n",
        "e.py": "import uvicorn\nuvicorn.run(make(1), port=1)\nuvicorn.run(settings.app)\nuvicorn.run(f'{x}:app')\n",
    })  # fmt: skip

    assert [line.rpartition("  ")[0] for line in told(root)] == [
        "api a.py:make  a.py:2",
        "api a:app  b.py:2",
        "worker c.py:app  c.py:3",
        "worker c  d.py:3",
        "worker c:app  f.py:2",
    ]
    assert start_lines(root)[0].factory


def test_ten_lines_that_contradict_are_all_there(project: Write) -> None:
    names = [f"app{n}.worker" for n in range(10)]
    root = project({"README.md": "\n".join(f"```sh\ncelery -A {name} worker\n```" for name in names)})

    assert [one.spec for one in start_lines(root)] == names


def test_what_a_script_does_is_said_once(project: Write) -> None:
    root = project({**CODE, "start.sh": CELERY, "Procfile": "w: ./start.sh\n", "Makefile": "w:\n\tbash start.sh\n"})

    assert told(root) == ["worker app.worker  start.sh:1  ."]
    assert start_lines(root)[0].service == "w"


def test_the_folder_of_a_script(project: Write) -> None:
    root = project({
        "backend/scripts/run.sh": 'cd "$(dirname "$0")/.."\nexec uvicorn main:app\n',
        "backend/scripts/jobs.sh": 'cd /srv/app/backend\nexport PYTHONPATH=lib\ncelery -A deep.jobs worker\n',
        "backend/main.py": API,
        "backend/lib/deep/jobs.py": APP,
    })  # fmt: skip

    assert sorted(told(root)) == [
        "api main:app  backend/scripts/run.sh:2  backend",
        "worker deep.jobs  backend/scripts/jobs.sh:3  backend/lib",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".vscode/launch.json", b"{ celery"),
        (".vscode/launch.json", b'["celery"]'),
        (".vscode/launch.json", b'{"configurations": [1, {"module": ["celery"], "args": {}, "env": 1, "cwd": []}]}'),
        (".vscode/tasks.json", b"[" * 50_000 + b"celery"),
        ("package.json", b'{"scripts": ["celery worker"]}'),
        ("package.json", b"[" * 50_000 + b"celery"),
        ("pyproject.toml", b"[tool]\npoe = 'celery worker'\npdm = [1]\n"),
        ("pyproject.toml", b"= celery"),
        ("pyproject.toml", b"a = " + b"[" * 50_000 + b"celery"),
        ("Taskfile.yml", b"tasks: [celery\n"),
        ("Taskfile.yml", b"tasks: {a: {cmds: {x: celery}}, b: , c: [[celery]]}"),
        ("render.yaml", b"services: [celery, {startCommand: [celery]}]"),
        ("Makefile", b"\t\n:\n=\n\tcelery \\"),
        ("justfile", b"  celery {{\n:=\n"),
        ("supervisord.conf", b"[program:\ncommand\n[program:x]\n  celery\n[program:y]\ncommand='celery\nenvironment='"),
        ("x.service", b"[Service]\nExecStart=\nExecStart=celery"),
        ("Procfile", b":\n: celery\ncelery:"),
        ("README.md", b"```\n```\n~~~\n```celery\n    \n`celery`\n\xff\xfe celery"),
        ("Dockerfile", b"FROM\nCMD celery\nFROM x AS\nCMD [\"celery\", 1\nENV\nCOPY\nCOPY a\nWORKDIR\nRUN <<E\ncelery"),
        ("Dockerfile", b"CMD [1, [\"celery\"]]\nFROM x\nCMD [1, [\"celery\"]]\nENV A\nARG\nARG =\nENTRYPOINT \\"),
        ("start", b"\x7fELF\x00celery -A a worker"),
        ("start.sh", b"\xff\xfe celery ${ $( ' \" ` \\"),
        ("run.py", b"import subprocess as s\ns.run(['celery', *x, f'{y}', -1])\nuvicorn.run()\nuvicorn.run(*a)"),
        ("run.py", b"import subprocess, celery\n(" + b"(" * 5_000),
        ("run.py", b"subprocess celery\0"),
        (".run/x.xml", b"<configuration <option name='celery'"),
    ],
)  # fmt: skip
def test_broken_files_are_no_trouble(project: Write, name: str, content: bytes) -> None:
    root = project({"Makefile": f"w:\n\t{CELERY}\n", **CODE, name: content})

    assert [line for line in told(root) if not line.endswith("Makefile:2  .")] == []


def test_a_script_that_calls_itself_comes_to_an_end(project: Write) -> None:
    root = project({"a.sh": "./b.sh\n./a.sh\ncelery -A x worker", "b.sh": "./a.sh\nbash ./b.sh"})
    os.mkfifo(root / "start")

    assert told(root) == ["worker x  a.sh:3  ."]
