"""What a generation of the worker is told to do, and with which flags `devkit up` starts `devkit worker`."""

import sys
from pathlib import Path
from typing import Any

import pytest

from devkit.errors import UsageError
from devkit.model.wire import WorkerOrder
from devkit.services.project.programs import part_of
from devkit.services.reload.worker import REFUSED, WorkerPlan, worker_options
from devkit.services.stack.worker import worker_argv, worker_service
from devkit.settings.discover import AppRef
from devkit.settings.discover.programs import WorkerProgram
from devkit.settings.load import Settings, load
from devkit.settings.options import Options
from devkit.settings.paths import paths_for
from tests.unit.services.projects import project_in, write

OURS = ["-l", "INFO", "-E", "--without-mingle", "--without-gossip"]


def argv(folder: Path, *arguments: str, number: int = 1, **flags: Any) -> list[str]:
    """What generation `number` runs."""
    app = AppRef(folder, "shop.worker", "app")
    order = WorkerPlan(arguments).order(load(folder, flags, {}), app, {}, number)
    assert order["kind"] == "worker"
    return order["argv"]


def node(folder: Path, *arguments: str, number: int = 2) -> str:
    """The name of a generation's node: celery takes the last one."""
    *_, flag, name = argv(folder, *arguments, number=number)
    assert flag == "-n"
    return name


# --- the command ---


def test_the_first_generation_shows_celerys_banner(tmp_path: Path) -> None:
    assert argv(tmp_path) == ["-A", "shop.worker:app", "worker", *OURS, "-n", "celery.1@%h"]


@pytest.mark.parametrize("data_dir", [".devkit", "kept", "/var/kept"])
def test_it_is_told_the_folders_in_which_devkit_looks(tmp_path: Path, data_dir: str) -> None:
    settings = load(tmp_path, {}, {"DEVKIT_DATA_DIR": data_dir})

    order = WorkerPlan([]).order(settings, AppRef(tmp_path, "shop.worker", "app"), {}, 1)

    paths = paths_for(tmp_path, data_dir, {})
    assert (order["debug"], order["failures"]["folder"]) == (str(paths.debug), str(paths.failures))


def test_later_ones_are_quiet(tmp_path: Path) -> None:
    assert argv(tmp_path, number=2) == ["-A", "shop.worker:app", "-q", "worker", *OURS, "-n", "celery.2@%h"]


def test_what_was_typed_comes_after_what_is_set(tmp_path: Path) -> None:
    found = argv(tmp_path, "-c", "8", "-l", "DEBUG", concurrency=2, pool="threads", queues="a,b")

    assert found[2:-2] == ["worker", *OURS, "-c", "2", "-P", "threads", "-Q", "a,b", "-c", "8", "-l", "DEBUG"]


def test_celery_understands_it(tmp_path: Path) -> None:
    from celery.bin.worker import worker

    context = worker.make_context(
        "worker", argv(tmp_path, "-c", "8", "-nmail@box", concurrency=2, number=3)[4:], resilient_parsing=True
    )

    assert (context.params["concurrency"], context.params["hostname"]) == (8, "mail.3@box")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((), "celery.2@%h"),
        (("-n", "mail"), "mail.2@%h"),
        (("-n", "mail@box"), "mail.2@box"),
        (("-n", "mail@%h"), "mail.2@%h"),
        (("-n", "mail@"), "mail.2@%h"),
        (("-n", "@box"), "celery.2@box"),
        (("-nmail@box",), "mail.2@box"),
        (("--hostname", "mail"), "mail.2@%h"),
        (("--hostname=mail@box",), "mail.2@box"),
        (("-n", "one", "-Q", "a", "--hostname=two"), "two.2@%h"),
        (("-Q", "a", "-n"), "celery.2@%h"),
        (("-Q", "name"), "celery.2@%h"),
    ],
)
def test_each_generation_has_a_name_of_its_own(tmp_path: Path, arguments: tuple[str, ...], name: str) -> None:
    assert node(tmp_path, *arguments) == name


# --- what cannot be had ---


@pytest.mark.parametrize("option", sorted(REFUSED))
def test_options_that_make_no_sense_are_refused_with_the_reason(option: str) -> None:
    with pytest.raises(UsageError, match=f"^devkit worker takes no {option}: "):
        WorkerPlan(["-c", "2", option])


def test_a_value_makes_a_refused_option_no_better() -> None:
    with pytest.raises(UsageError, match=r"^devkit worker takes no --pidfile: two generations"):
        WorkerPlan(["--pidfile=/run/w.pid"])


def test_other_options_are_celerys_business(tmp_path: Path) -> None:
    options = ["--autoscale=10,3", "-O", "fair", "--max-tasks-per-child", "100", "--no-such-option"]

    assert argv(tmp_path, *options)[3 + len(OURS) : -2] == options


@pytest.mark.parametrize("option", ["-EB", "-ED"])
def test_a_refused_option_among_others_is_refused_too(option: str) -> None:
    with pytest.raises(UsageError):
        WorkerPlan([option])


# --- pools that patch ---


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
@pytest.mark.parametrize("form", ["-P {}", "-P{}", "--pool={}", "--pool {}"])
def test_nothing_is_imported_ahead_where_the_pool_patches_first(tmp_path: Path, pool: str, form: str) -> None:
    plan = WorkerPlan(form.format(pool).split())

    assert not plan.preloads(load(tmp_path, {}, {}))
    assert not plan.preloads(load(tmp_path, {"pool": "prefork"}, {}))


def test_the_setting_counts_where_nothing_is_typed(tmp_path: Path) -> None:
    gevent = load(tmp_path, {"pool": "gevent"}, {})

    assert not WorkerPlan([]).preloads(gevent)
    assert WorkerPlan(["-P", "threads"]).preloads(gevent)


def test_a_further_workers_pool_is_its_tables(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.devkit.workers.mails]\npool = "gevent"\n')
    settings = load(tmp_path, {"pool": "threads"}, {})

    assert not WorkerPlan([], "mails").preloads(settings)
    assert WorkerPlan([]).preloads(settings)


@pytest.mark.parametrize("arguments", [(), ("-P", "prefork"), ("-Pthreads",), ("--pool=solo",), ("-Q", "gevent")])
def test_other_pools_import_ahead(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert WorkerPlan(arguments).preloads(load(tmp_path, {}, {}))


def test_how_long_an_old_generation_may_run_is_a_setting() -> None:
    assert WorkerPlan([]).drain_s(Options(drain_timeout=5)) == 5


# --- the app ---


def test_the_app_set_is_taken_or_the_one_found(tmp_path: Path) -> None:
    write(tmp_path, shop="from celery import Celery\napp = Celery()\nother = Celery()", pyproject="")

    assert str(WorkerPlan([]).find_app(load(tmp_path, {}, {}))) == "shop:app"
    assert str(WorkerPlan([]).find_app(load(tmp_path, {"celery": "shop:other"}, {}))) == "shop:other"


# --- one of several ---

SEVERAL = """
[tool.devkit]
celery = "shop:app"
concurrency = 3

[tool.devkit.workers.mails]
queues = "mails,letters"
pool = "threads"

[tool.devkit.workers.bills]
celery = "jobs:app"
folder = "billing"
concurrency = 1
"""


@pytest.fixture
def several(tmp_path: Path) -> Settings:
    made = "from celery import Celery\napp = Celery()"
    write(tmp_path, shop=made, billing__jobs=made)
    (tmp_path / "pyproject.toml").write_text(SEVERAL)
    return load(tmp_path, {}, {})


def order_of(settings: Settings, name: str = "", *arguments: str) -> WorkerOrder:
    plan = WorkerPlan(arguments, name)
    return plan.order(settings, plan.find_app(settings), {}, 2)


def test_each_has_its_app_its_options_and_nodes_of_its_own(several: Settings) -> None:
    first, mails, bills = (order_of(several, name) for name in ("", "mails", "bills"))

    assert first["argv"][2:] == ["-q", "worker", *OURS, "-c", "3", "-n", "celery.2@%h"]
    assert mails["argv"][2:] == ["-q", "worker", *OURS, "-P", "threads", "-Q", "mails,letters", "-n", "mails.2@%h"]
    assert bills["argv"][2:] == ["-q", "worker", *OURS, "-c", "1", "-n", "bills.2@%h"]
    assert (bills["module"], bills["cwd"]) == ("jobs", str(several.root / "billing"))


def test_what_nobody_else_has_is_the_first_ones(several: Settings) -> None:
    first, mails, bills = (order_of(several, name)["consume"] for name in ("", "mails", "bills"))

    assert first == {"own": [], "leftovers": True, "besides": ["letters", "mails"]}
    assert mails is None
    assert bills == {"own": [], "leftovers": True, "besides": ["letters", "mails"]}


def test_queues_that_are_set_or_typed_are_all(several: Settings) -> None:
    assert order_of(several, "", "-Q", "a")["consume"] is None
    assert order_of(load(several.root, {"queues": "a"}, {}))["consume"] is None


def test_there_is_no_other(several: Settings) -> None:
    with pytest.raises(UsageError, match="there is no mail here; did you mean 'mails'"):
        order_of(several, "mail")


def test_there_is_nothing_to_bind(tmp_path: Path) -> None:
    assert WorkerPlan([]).bind(load(tmp_path, {}, {}), None) == ""


# --- the service ---


def test_what_was_a_flag_to_up_is_one_to_worker(tmp_path: Path) -> None:
    (tmp_path / "dev.env").write_text("")
    flags = {
        "celery": "shop:app",
        "concurrency": 4,
        "pool": "threads",
        "queues": "a,b",
        "env_file": (str(tmp_path / "dev.env"),),
        "reload": False,
    }

    assert worker_argv(load(tmp_path, flags, {})) == (
        *(sys.executable, "-P", "-m", "devkit", "worker"),
        *("--env-file", str(tmp_path / "dev.env"), "--no-reload"),
        *("-A", "shop:app", "-c", "4", "-P", "threads", "-Q", "a,b"),
    )


def test_what_worker_finds_out_itself_is_no_flag(tmp_path: Path) -> None:
    """So that a change of it counts without a restart of all."""
    (tmp_path / "pyproject.toml").write_text('[tool.devkit]\npool = "threads"\nreload = false\nenv_file = "dev.env"\n')
    (tmp_path / "dev.env").write_text("DEVKIT_QUEUES=a\n")
    settings = load(tmp_path, {}, {"DEVKIT_CONCURRENCY": "4"})

    assert settings.options.concurrency == 4
    assert worker_argv(settings) == (sys.executable, "-P", "-m", "devkit", "worker")


def test_the_service_starts_with_the_same_command_and_shows_celerys(tmp_path: Path) -> None:
    project = project_in(tmp_path, late={"CELERY_BROKER_URL": "redis://x"})
    worker = WorkerProgram("worker", project.celery)
    service = worker_service(project, worker, part_of(project.settings, [worker], 0), ("redis",))

    assert service.argv == worker_argv(project.settings)
    assert service.how == f"celery -A worker:app worker {' '.join(worker_options(Options()))}"
    assert service.depends_on == ("redis",)
    assert service.order is not None
    assert b'"CELERY_BROKER_URL": "redis://x"' in service.order


def test_the_options_that_are_set_are_celerys(tmp_path: Path) -> None:
    assert worker_options(Options(concurrency=2, pool="solo", queues="a")) == [
        *OURS,
        "-c",
        "2",
        "-P",
        "solo",
        "-Q",
        "a",
    ]
