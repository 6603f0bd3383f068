"""The tables of further workers and APIs."""

from pathlib import Path

import pytest

from devkit.errors import UsageError
from devkit.settings.load import Settings, load
from devkit.settings.tables import ApiTable, WorkerTable


def read(folder: Path, text: str) -> Settings:
    (folder / "pyproject.toml").write_text(text)
    return load(folder, {}, {})


def test_all_their_keys(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        """
        [tool.devkit.workers.mails]
        celery = "app.worker"
        folder = "mails"
        queues = ["a", "b"]
        pool = "solo"
        concurrency = 2

        [tool.devkit.workers.rest]
        queues = "c, d"

        [tool.devkit.apis.admin]
        api = "main:create_app"
        folder = "admin"
        kind = "flask"
        factory = true
        port = 8100

        [tool.devkit.apis.site]
        folder = "site"
        """,
    )

    assert settings.workers == (
        WorkerTable("mails", "app.worker", "mails", "a,b", "solo", 2),
        WorkerTable("rest", queues="c, d"),
    )
    assert settings.apis == (
        ApiTable("admin", "main:create_app", "admin", "flask", factory=True, port=8100),
        ApiTable("site", folder="site"),
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[tool.devkit.workers.worker]\nqueues = 'a'", "line 1: 'worker' is one of devkit's own names"),
        ("[tool.devkit.apis.'a b']\napi = 'x'", "line 1: [tool.devkit.apis.a b]: a service's name has only letters"),
        (
            "[tool.devkit.workers.a]\nqueue = 'a'",
            "line 2: unknown key 'queue' in [tool.devkit.workers.a]",
        ),
        ("[tool.devkit.workers.a]\nconcurrency = 0", "line 2: 'concurrency' in [tool.devkit.workers.a] cannot be 0"),
        ("[tool.devkit.workers.a]\nqueues = []", "line 2: 'queues' in [tool.devkit.workers.a] cannot be []"),
        ("[tool.devkit.apis.a]\napi = 'x'\nport = true", "line 3: 'port' in [tool.devkit.apis.a] cannot be True"),
        ("[tool.devkit.apis.a]\napi = 'x'\nkind = 'wsgi'", "line 3: 'kind' in [tool.devkit.apis.a] cannot be 'wsgi'"),
        ("[tool.devkit.apis.a]\nport = 1", "line 1: [tool.devkit.apis.a] has no app"),
        ("[tool.devkit.workers]\na = 1", "line 2: [tool.devkit.workers.a] has to be a table with a celery"),
        (
            "[tool.devkit.workers.a]\n[tool.devkit.services.a]\ncommand = 'x'",
            "line 1: there is another service 'a'",
        ),
    ],
)
def test_what_cannot_be_is_shown_with_its_line(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)

    assert caught.value.what.startswith(f"pyproject.toml, {what}")
