"""What one command starts, as people write it in scripts, compose files and README files."""

import pytest

from devkit.settings.evidence.commands import Call, read_text, read_words
from devkit.settings.evidence.starts import Start


def found(text: str, **environ: str) -> list[Start]:
    return [one for one in read_text(text, environ) if isinstance(one, Start)]


def calls(text: str, *args: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.name, one.args) for one in read_text(text, {}, 1, args) if isinstance(one, Call) and one.surely]


def brief(text: str, **environ: str) -> list[str]:
    return [f"{one.program} {one.spec}".strip() for one in found(text, **environ)]


@pytest.mark.parametrize(
    "text",
    [
        "celery -A app.worker worker",
        "celery -A app.worker worker --loglevel=info",
        "celery -A=app.worker worker -l INFO",
        "celery -Aapp.worker worker",
        "celery --app app.worker worker",
        "celery --app=app.worker worker -E",
        "celery worker -A app.worker -linfo",
        "celery worker --app=app.worker.celery --beat".replace(".celery --beat", ""),
        "celery -l info -b redis://x:1/0 -A 'app.worker' worker",
        "python -m celery -A app.worker worker",
        "python3.11 -X dev -m celery -A app.worker worker",
        "/opt/venv/bin/celery -A app.worker worker",
        "./.venv/bin/python -m celery -A app.worker worker",
        "exec celery -A app.worker worker",
        "nohup celery -A app.worker worker > worker.log 2>&1 &",
        "time nice -n 5 celery -A app.worker worker",
        "env A=1 B=2 celery -A app.worker worker",
        "A=1 B='x y' celery -A app.worker worker",
        "poetry run celery -A app.worker worker",
        "poetry run -- celery -A app.worker worker",
        "uv run --with gevent --env-file .env celery -A app.worker worker",
        "uv run -- celery -A app.worker worker",
        "pipenv run celery -A app.worker worker",
        "pdm run celery -A app.worker worker",
        "hatch run dev:celery -A app.worker worker".replace("dev:", ""),
        "rye run celery -A app.worker worker",
        "conda run -n shop --no-capture-output celery -A app.worker worker",
        "watchmedo auto-restart -d app/ -p '*.py' --recursive -- celery -A app.worker worker",
        "watchmedo auto-restart --directory=./ --pattern=*.py celery -- -A app.worker worker",
        "watchmedo shell-command --command='celery -A app.worker worker' .",
        "watchfiles --filter python 'celery -A app.worker worker' app",
        "hupper -m celery -A app.worker worker",
        "nodemon -e py --exec 'celery -A app.worker worker'",
        "bash -c 'celery -A app.worker worker'",
        'sh -ec "sleep 5; celery -A app.worker worker"',
        "/bin/bash -lc \"source .env && exec celery -A app.worker worker\"",
        "alembic upgrade head && celery -A app.worker worker",
        "test -f x || exit 1; celery -A app.worker worker",
        "if true; then celery -A app.worker worker; fi",
        "while ! nc -z db 5432; do sleep 1; done\ncelery -A app.worker worker",
        "wait-for-it.sh db:5432 -t 30 -- celery -A app.worker worker",
        "./wait-for.sh redis:6379 -- celery -A app.worker worker",
        "dockerize -wait tcp://db:5432 -timeout 20s celery -A app.worker worker",
        "tini -s -- celery -A app.worker worker",
        "/usr/bin/dumb-init -- celery -A app.worker worker",
        "gosu celery celery -A app.worker worker",
        "su-exec app celery -A app.worker worker",
        "sudo -u celery -E celery -A app.worker worker",
        "ddtrace-run celery -A app.worker worker",
        "opentelemetry-instrument --traces_exporter console celery -A app.worker worker",
        "newrelic-admin run-program celery -A app.worker worker",
        "docker compose exec -T worker celery -A app.worker worker",
        "docker-compose run --rm -e A=1 worker celery -A app.worker worker",
        "docker run -it --name celery shop:latest celery -A app.worker worker",
        "docker run shop sh -c 'celery -A app.worker worker'",
        "tmux new-session -d -s w 'celery -A app.worker worker'",
        "concurrently \"npm run dev\" \"celery -A app.worker worker\"",
        "./entrypoint.sh celery -A app.worker worker",
        "python -m debugpy --listen 0.0.0.0:5678 -m celery -A app.worker worker",
        "celery \\\n  -A app.worker \\\n  worker",
        "celery -A app.worker worker # the worker",
        "APP=app.worker\ncelery -A $APP worker",
        "export APP_NAME=app\ncelery -A ${APP_NAME}.worker worker",
        "celery -A ${CELERY_APP:-app.worker} worker",
        'MODULE=${CELERY_MODULE:-"app.worker"}\ncelery -A "$MODULE" worker',
        ": ${MODULE:=app.worker}\ncelery -A ${MODULE:=app.worker} worker",
        "$PYTHON -m celery -A app.worker worker",
        "celery multi start 2 -A app.worker -l info",
        "celery -A app.worker worker \"$@\"",
        "@celery -A app.worker worker".replace("@", "@ "),
    ],
)  # fmt: skip
def test_a_worker_however_it_is_wrapped(text: str) -> None:
    assert brief(text) == ["worker app.worker"]


@pytest.mark.parametrize(
    ("text", "queues", "pool", "concurrency"),
    [
        ("celery -A a worker -Q high,low -P solo -c 4", "high,low", "solo", 4),
        ("celery -A a worker --queues=high,low --pool=gevent --concurrency=4", "high,low", "gevent", 4),
        ("celery -A a worker -Qhigh -Psolo -c4", "high", "solo", 4),
        ("celery -A a worker --queues high --pool threads --concurrency 4", "high", "threads", 4),
        ("celery -A a worker -B -Q 'high, low'", "high,low", "", None),
        ("celery -A a worker -c ${WORKERS:-3} -Q ${QUEUES}", "", "", 3),
        ("celery -A a worker -c $(nproc) -n worker1@%h -X other", "", "", None),
        ("celery -A a worker -BE -lINFO -c 1", "", "", 1),
        ("celery -A a worker --autoscale=10,3 --max-tasks-per-child 5 -O fair -Q x", "x", "", None),
        ("celery -A a worker -c $WORKERS", "", "", None),
    ],
)
def test_what_the_worker_is_told(text: str, queues: str, pool: str, concurrency: int | None) -> None:
    worker = found(text)[0]

    assert (worker.spec, worker.queues, worker.pool, worker.concurrency) == ("a", queues, pool, concurrency)


@pytest.mark.parametrize(
    ("text", "programs"),
    [
        ("celery -A a worker -B", ["worker a", "beat a"]),
        ("celery -A a worker --beat -s /tmp/s", ["worker a", "beat a"]),
        ("celery -A a beat -l info --scheduler django", ["beat a"]),
        ("celery beat -A a", ["beat a"]),
        ("celery -A a flower --port=5555", ["flower a"]),
        ("celery flower -A a", ["flower a"]),
        ("celery --broker=redis://r:6379/0 flower --port=5555", ["flower"]),
        ("flower -A a", ["flower a"]),
        ("python -m flower -A a", ["flower a"]),
        ("celery -A a worker & celery -A a beat", ["worker a", "beat a"]),
        ("celery worker", ["worker"]),
        ("celery -A $1 worker", ["worker"]),
        ("celery worker -A", ["worker"]),
    ],
)
def test_beat_flower_and_what_is_not_told(text: str, programs: list[str]) -> None:
    assert brief(text) == programs


@pytest.mark.parametrize(
    ("text", "spec", "server", "factory"),
    [
        ("uvicorn app.main:app", "app.main:app", "uvicorn", False),
        ("uvicorn --host 0.0.0.0 --port 8000 --reload app.main:app", "app.main:app", "uvicorn", False),
        ("uvicorn --reload app.main:create_app --factory", "app.main:create_app", "uvicorn", True),
        ("uvicorn --brand-new app.main:app", "app.main:app", "uvicorn", False),
        ("uvicorn 'app.main:create_app()'", "app.main:create_app", "uvicorn", True),
        ("gunicorn -w 4 -k uvicorn.workers.UvicornWorker a.main:app -b 0.0.0.0:80", "a.main:app", "gunicorn", False),
        ("gunicorn -b unix:app.sock 'app.main:create_app(\"dev\")'", "app.main:create_app", "gunicorn", True),
        ("gunicorn shop.wsgi --bind localhost:8000", "shop.wsgi", "gunicorn", False),
        ("gunicorn -c gunicorn_conf.py", "", "gunicorn", False),
        ("hypercorn app.main:app --bind 0.0.0.0:8000", "app.main:app", "hypercorn", False),
        ("hypercorn asgi:app.main:app", "app.main:app", "hypercorn", False),
        ("daphne -b 0.0.0.0 -p 8000 shop.asgi:application", "shop.asgi:application", "daphne", False),
        ("fastapi dev", "", "fastapi", False),
        ("fastapi run app/main.py --port 80", "app/main.py", "fastapi", False),
        ("fastapi dev app/main.py --app api", "app/main.py:api", "fastapi", False),
        ("flask --app shop run --debug", "shop", "flask", False),
        ("FLASK_APP=shop:create_app flask run -h 0.0.0.0", "shop:create_app", "flask", False),
        ("export FLASK_APP='shop:make()'\npython -m flask run", "shop:make", "flask", True),
        ("python manage.py runserver 0.0.0.0:8000", "", "django", False),
        ("./manage.py runserver_plus", "", "django", False),
        ("django-admin runserver --settings=shop.settings", "", "django", False),
        ("uv run uvicorn app:app", "app:app", "uvicorn", False),
        ("python -m uvicorn app:app", "app:app", "uvicorn", False),
        ("cd src && PYTHONPATH=. uvicorn app:app", "app:app", "uvicorn", False),
    ],
)  # fmt: skip
def test_apis(text: str, spec: str, server: str, factory: bool) -> None:
    assert [(one.program, one.spec, one.server, one.factory) for one in found(text)] == [("api", spec, server, factory)]


@pytest.mark.parametrize(
    ("text", "changes", "imports"),
    [
        ("cd src && celery -A a worker", ("src",), ()),
        ("cd src\ncd app\ncelery -A a worker", ("src", "app"), ()),
        ("(cd web && npm start)\ncelery -A a worker", (), ()),
        ("(cd src; celery -A a worker)", ("src",), ()),
        ("bash -c 'cd src && celery -A a worker --workdir app'", ("src", "app"), ()),
        ("cd /code && sh -c 'cd src; celery -A a worker'", ("/code", "src"), ()),
        ("gunicorn --chdir src a:app", ("src",), ()),
        ("uvicorn --app-dir src a:app", (), ("src",)),
        ("uv run --directory src uvicorn a:app", ("src",), ()),
        ("poetry -C src run uvicorn a:app", ("src",), ()),
        ("env -C src uvicorn a:app", ("src",), ()),
        ("docker compose exec -w /src web uvicorn a:app", ("/src",), ()),
        ("watchmedo auto-restart --directory=./app -- celery -A a worker", (), ()),
        ("python src/manage.py runserver", ("src",), ()),
    ],
)
def test_folders(text: str, changes: tuple[str, ...], imports: tuple[str, ...]) -> None:
    assert [(one.changes, one.imports) for one in found(text)] == [(changes, imports)]


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("docker compose exec -T worker celery -A a worker", "worker"),
        ("docker-compose -f dev.yml run --rm -e A=1 --name x web celery -A a worker", "web"),
        ("docker compose run web sh -c 'celery -A a worker'", "web"),
        ("docker exec -it shop_1 celery -A a worker", ""),
    ],
)
def test_the_service_whose_container_it_runs_in(text: str, service: str) -> None:
    assert [one.service for one in found(text)] == [service]


def test_variables_that_are_set_for_it() -> None:
    text = "export A=1\nB=2\nC=3 env D=4 docker compose run -e E=5 web celery -A a worker\nuvicorn a:app"

    assert [dict(one.environ) for one in found(text)] == [{"A": "1", "C": "3", "D": "4", "E": "5"}, {"A": "1"}]


def test_lines_and_texts() -> None:
    text = (
        "#!/bin/sh\n\nset -e\nexec poetry run \\\n  celery -b amqp://me:secret@mq/ \\\n  -A a worker\nuvicorn a:app\n"
    )
    text += "bash -c '\nuvicorn b:app'"

    assert [(one.line, one.text) for one in found(text)] == [
        (4, "celery -b amqp://me:***@mq/ -A a worker"),
        (7, "uvicorn a:app"),
        (9, "uvicorn b:app"),
    ]


def test_secrets_are_not_shown() -> None:
    text = "celery -A a flower --basic_auth=me:hidden1 --broker redis://:hidden2@r:1/0 --oauth2-secret hidden3"

    assert "hidden" not in found(text)[0].text
    assert found(text)[0].text.startswith("celery -A a flower --basic_auth=")


@pytest.mark.parametrize(
    "text",
    [
        "pip install celery flower redis",
        "python -m pip install celery flower",
        "poetry add celery flower uvicorn",
        "uv pip install celery worker",
        "apt-get install -y celery worker",
        "echo 'celery -A a worker'",
        "echo celery -A a worker",
        "pkill -f 'celery -A a worker'",
        "docker compose up celery worker flower",
        "docker compose logs -f celery worker",
        "systemctl restart celery worker",
        "git commit -m 'celery -A a worker'",
        "cd celery worker",
        "celery -A a inspect active",
        "celery -A a status",
        "celery -A a purge",
        "celery --version",
        "celery",
        "uvicorn",
        "uvicorn --help",
        "gunicorn --version",
        "celery -A <your app> worker",
        "from celery import worker",
        "flask db upgrade",
        "fastapi --help",
        "python manage.py migrate",
        "grep celery worker.log",
        "# celery -A a worker",
        "alias w='celery -A a worker'",
        "which celery worker",
        "docker build -t celery worker",
    ],
)
def test_what_starts_nothing(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("./start.sh", [("./start.sh", ())]),
        ("bash scripts/start.sh worker", [("scripts/start.sh", ("worker",))]),
        ("sh start", [("start", ())]),
        ("/start-celeryworker", [("/start-celeryworker", ())]),
        ("tini -- /app/start-worker high", [("/app/start-worker", ("high",))]),
        ("python main.py", [("main.py", ())]),
        ("poetry run python -u src/main.py --dev", [("src/main.py", ("--dev",))]),
        ("uv run main.py", [("main.py", ())]),
        ("python -m app.main", [("app.main", ())]),
        ("bash -c './start.sh'", [("./start.sh", ())]),
        ("alembic upgrade head", []),
        ("pytest tests/test_a.py", []),
    ],
)
def test_files_that_are_called(text: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert calls(text) == expected


BRANCHES = """
case "$1" in
  api|web)
    exec uvicorn a:app ;;
  worker) celery -A a worker;;
  (beat)
    case $MODE in debug) echo;; *) celery -A a beat;; esac
    ;;
  *)
    exec "$@"
    celery -A a flower
esac
celery -A after worker
"""


@pytest.mark.parametrize(
    ("args", "programs"),
    [
        ((), ["api", "worker", "beat", "flower", "worker"]),
        (("worker",), ["worker", "worker"]),
        (("web",), ["api", "worker"]),
        (("beat",), ["beat", "worker"]),
        (("other",), ["flower", "worker"]),
    ],
)
def test_the_branch_that_the_arguments_choose(args: tuple[str, ...], programs: list[str]) -> None:
    assert [one.program for one in read_text(BRANCHES, {}, 1, args) if isinstance(one, Start)] == programs


def test_the_branch_that_a_variable_chooses() -> None:
    text = "case ${ROLE:-api} in worker) celery -A a worker;; *) uvicorn a:app;; esac"

    assert brief(text) == ["api a:app"]
    assert brief(text, ROLE="worker") == ["worker a"]


@pytest.mark.parametrize(
    "text",
    [
        *("'", '"', "$(", "${", "`", "\\", "((((", "))))", "case", "case x in", "esac", ";;", "<<EOF", "> >", "-"),
        *("\0", "celery -A '", 'uvicorn "a:app', "case x in a|b", "celery -A a worker \\", "$", "${a:-${b:-", "cd"),
        *("sh -c 'sh -c \"sh -c celery\"'", "docker", "docker run", "docker compose exec", "python -m", "gunicorn -k"),
        *("celery -", "bash -c", "env", ""),
    ],
)
def test_broken_text_is_no_trouble(text: str) -> None:
    list(read_text(text, {}))
    list(read_words(text.split(), {}))


@pytest.mark.parametrize(
    "part", ["$(", "celery ", "'", "(", "bash -c ", "a\n", "./x.sh ", "A=$A$A\n", "${A:-", "`", 'a "']
)
def test_much_text_comes_to_an_end(part: str) -> None:
    list(read_text("A=aa\n" + part * 3_000, {}))
