"""Which broker and which result backend: the app's own where they answer, else an embedded Redis or RabbitMQ."""

import socket

import pytest

from devkit.errors import DevkitError
from devkit.model.wire import AppFacts
from devkit.services.ports import Port
from devkit.services.project.broker import Choice, Replaced
from devkit.services.stack.choice import choose

EMBEDDED = "redis://127.0.0.1:7777"
REFUSED = "Connection refused"
Anothers = dict[str, list[str]]


def facts(
    broker: str = "memory://",
    backend: str | None = None,
    *,
    broker_error: str | None = None,
    result_backend_error: str | None = None,
    anothers: Anothers | None = None,
    missing: bool = False,
    redis_lacks: str | None = None,
    amqp_needs: list[str] | None = None,
) -> AppFacts:
    """What the app says of itself."""
    return {
        "celery": "5.5.0",
        "python": "/env/python",
        "broker_missing": missing and broker_error is not None,
        "result_backend_missing": missing and result_backend_error is not None,
        "redis_lacks": redis_lacks,
        "amqp_needs": amqp_needs or [],
        "eager": None,
        "tls": [],
        "beat": False,
        "tasks": [],
        "flower": True,
        "servers": ["uvicorn"],
        "pools": ["prefork", "solo", "threads"],
        "forces_root": False,
        "queues": ["celery"],
        "routed": [],
        "broker": broker,
        "broker_error": broker_error,
        "result_backend": backend,
        "result_backend_error": result_backend_error,
        "anothers": anothers or {},
    }


def decide(
    app: AppFacts, broker: str | None = None, backend: str | None = None
) -> tuple[str | None, str | None, int | None, str]:
    choice = choose(app, Choice(broker, backend), lambda *_, **__: Port(7777), lambda: False)
    port = choice.embedded_port.number if choice.embedded_port else None
    return choice.broker, choice.result_backend, port, choice.why


def no_port(name: str, asked: int | None = None, wish: int | None = None) -> Port:
    pytest.fail(f"no embedded {name} is needed")


# --- the app's own, and those asked for ---


@pytest.mark.parametrize(
    "app", [facts(), facts(backend="db+sqlite:///x.db"), facts("amqp://guest:guest@rabbitmq//", "rpc://")]
)
def test_what_answers_stays(app: AppFacts) -> None:
    choice = choose(app, Choice(None, None), no_port, lambda: False)

    assert choice == Choice(None, None)
    assert choice.environ() == {}


def test_what_is_asked_for_is_taken() -> None:
    choice = choose(facts("redis://a", "redis://b"), Choice("redis://a", "redis://b"), no_port, lambda: False)

    assert choice == Choice("redis://a", "redis://b")
    assert choice.environ() == {
        "CELERY_BROKER_URL": "redis://a",
        "CELERY_BROKER_READ_URL": "redis://a",
        "CELERY_BROKER_WRITE_URL": "redis://a",
        "CELERY_RESULT_BACKEND": "redis://b",
    }


@pytest.mark.parametrize("what", ["broker", "result backend"])
def test_what_is_asked_for_and_does_not_answer_is_an_error(what: str) -> None:
    url = "redis://user:secret@cache:6379/0"
    asked, app = {
        "broker": (Choice(url, None), facts(url, url, broker_error=REFUSED)),
        "result backend": (Choice(None, url), facts(url, url, result_backend_error=REFUSED)),
    }[what]

    with pytest.raises(DevkitError) as caught:
        choose(app, asked, no_port, lambda: False)

    assert caught.value.what == f"the {what} redis://user:***@cache:6379/0 does not answer: {REFUSED}"


# --- an embedded Redis takes their place ---


def test_a_broker_that_does_not_answer_is_replaced() -> None:
    app = facts("amqp://guest:secret@rabbitmq//", "db+sqlite:///x.db", broker_error=REFUSED)

    assert decide(app) == (f"{EMBEDDED}/0", None, 7777, f"amqp://guest:***@rabbitmq//: {REFUSED}")


def test_where_redis_is_embedded_an_app_without_a_result_backend_gets_one() -> None:
    assert decide(facts("redis://cache", broker_error=REFUSED))[:2] == (f"{EMBEDDED}/0", f"{EMBEDDED}/1")


def test_where_nothing_is_embedded_an_app_without_a_result_backend_stays_without() -> None:
    assert decide(facts("redis://cache")) == (None, None, None, "")


def test_a_result_backend_that_does_not_answer_is_replaced_alone() -> None:
    app = facts("memory://", "redis://:secret@cache/1", result_backend_error=REFUSED)

    assert decide(app) == (None, f"{EMBEDDED}/1", 7777, "")


def test_both_are_replaced() -> None:
    app = facts("redis://cache/0", "redis://cache/1", broker_error=REFUSED, result_backend_error=REFUSED)

    assert decide(app) == (f"{EMBEDDED}/0", f"{EMBEDDED}/1", 7777, f"redis://cache/0: {REFUSED}")


def test_what_is_asked_for_is_not_replaced() -> None:
    dead = facts("redis://cache", "redis://cache", broker_error=REFUSED)

    assert decide(dead, backend="redis://cache")[:2] == (f"{EMBEDDED}/0", "redis://cache")
    dead = facts("redis://cache", "redis://cache", result_backend_error=REFUSED)
    assert decide(dead, broker="redis://cache")[:2] == ("redis://cache", f"{EMBEDDED}/0")


def test_a_url_that_is_none_does_not_answer_and_that_is_all() -> None:
    app = facts("redis://localhost:port/0", "redis://localhost:port/1", broker_error="x", result_backend_error="x")

    assert decide(app)[:2] == (f"{EMBEDDED}/0", f"{EMBEDDED}/1")


# --- at the app's own address ---


def at(broker: str, backend: str | None = None, *, free: bool = True) -> tuple[str | None, str | None, int | None]:
    """The choice where the app's broker and result backend do not answer, and the port that was wished for."""
    wished = None

    def port(name: str, asked: int | None = None, wish: int | None = None) -> Port:
        nonlocal wished
        wished = wish
        return Port(wish if free and wish else 7777)

    app = facts(broker, backend, broker_error=REFUSED, result_backend_error=REFUSED if backend else None)
    choice = choose(app, Choice(None, None), port, lambda: False)
    return choice.broker, choice.result_backend, wished


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6390/0", "redis://localhost:6390", "redis://127.0.0.1:6390/",
        "redis://redis.localhost:6390//2?visibility_timeout=60", "redis://127.1:6390/0?db=4",
    ],
)  # fmt: skip
def test_where_it_is_free_services_get_the_apps_own_urls_to_the_letter(url: str) -> None:
    assert at(url, url) == (url, url, 6390)


def test_the_usual_port_may_be_left_out() -> None:
    assert at("redis://localhost/2", "redis://") == ("redis://localhost/2", "redis://", 6379)


def test_an_app_without_a_result_backend_gets_one_beside_its_own_address() -> None:
    assert at("redis://localhost:6390/0") == ("redis://localhost:6390/0", "redis://127.0.0.1:6390/1", 6390)


@pytest.mark.parametrize(
    ("own", "given"),
    [
        ("redis://localhost:6390/0", "/0"),
        ("redis://localhost:6390", "/0"),
        ("redis://localhost:6390/4?health_check_interval=30", "/4?health_check_interval=30"),
        ("redis://:secret@localhost:6390/4", "/4"),
        ("rediss://localhost:6390/4?ssl_cert_reqs=none", "/4"),
        ("sentinel://localhost:26379/4;sentinel://other:26379/4", "/4"),
        ("redis://localhost:6390/4;redis://other/3", "/4"),
        ("redis://redis:6379/4", "/4"),
        ("redis://[::1]:6390/4", "/4"),
        ("redis://redis:port/4", "/4"),
        ("redis://redis/four", None),
        ("amqp://guest@localhost//", None),
        ("redis+socket:///run/redis.sock?virtual_host=4", None),
    ],
)
def test_elsewhere_only_what_has_to_changes(own: str, given: str | None) -> None:
    broker, backend = (f"{EMBEDDED}{given}",) * 2 if given else (f"{EMBEDDED}/0", f"{EMBEDDED}/1")

    assert at(own, own, free=False)[:2] == (broker, backend)


def test_a_password_which_the_embedded_redis_does_not_have_is_left_out() -> None:
    assert at("redis://:secret@localhost:6390/4")[::2] == ("redis://127.0.0.1:6390/4", 6390)


def test_the_brokers_address_comes_first_and_one_that_answers_is_not_taken() -> None:
    assert at("redis://localhost:6390/0", "redis://localhost:6391/0") == (
        "redis://localhost:6390/0", "redis://127.0.0.1:6390/0", 6390,
    )  # fmt: skip
    assert at("amqp://", "redis://localhost:6391/0") == (
        "redis://127.0.0.1:6391/0", "redis://localhost:6391/0", 6391,
    )  # fmt: skip


# --- the embedded Redis of another project ---


def test_the_embedded_redis_of_another_project_is_not_shared() -> None:
    url = "redis://localhost:6390/2"
    app = facts(url, url, anothers={"broker": [url, "/other"], "result backend": [url, "/other"]})

    assert decide(app) == (f"{EMBEDDED}/2", f"{EMBEDDED}/2", 7777, f"{url}: the embedded Redis of /other")


def test_it_may_be_the_result_backend_alone() -> None:
    url = "redis://localhost:6390/2"

    assert decide(facts("memory://", url, anothers={"result backend": [url, "/other"]})) == (
        None, f"{EMBEDDED}/2", 7777, "",
    )  # fmt: skip


# --- an embedded RabbitMQ, where one is asked for ---


def embed(url: str, error: str | None = REFUSED, anothers: Anothers | None = None) -> tuple[str | None, int | None]:
    """The broker, and the RabbitMQ's port if one is to be started."""
    port = None

    def choose_port(name: str, asked: int | None = None, wish: int | None = None) -> Port:
        nonlocal port
        assert name == "rabbitmq"
        port = asked or 7777
        return Port(port)

    choice = choose(facts(url, broker_error=error, anothers=anothers), Choice(url, None), choose_port, lambda: False)
    assert (choice.rabbitmq_port and choice.rabbitmq_port.number) == port
    assert choice.embedded_port is None
    return choice.broker, port


@pytest.mark.parametrize(
    ("asked", "embedded"),
    [
        ("amqp://", "amqp://guest:guest@127.0.0.1:7777//"),
        ("pyamqp://", "pyamqp://guest:guest@127.0.0.1:7777//"),
        ("amqp://localhost", "amqp://guest:guest@127.0.0.1:7777//"),
        ("amqp://shop:p%40ss@localhost/shop?heartbeat=5", "amqp://shop:p%40ss@127.0.0.1:7777/shop?heartbeat=5"),
    ],
)
def test_a_rabbitmq_of_this_machine_that_does_not_answer_is_embedded(asked: str, embedded: str) -> None:
    assert embed(asked) == (embedded, 7777)


def test_where_a_port_is_named_it_is_that_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(DevkitError) as caught:
            embed(f"amqp://localhost:{port}", "ACCESS_REFUSED")
        assert caught.value.what == f"the broker amqp://localhost:{port} does not answer: ACCESS_REFUSED"

    assert embed(f"amqp://localhost:{port}") == (f"amqp://guest:guest@127.0.0.1:{port}//", port)


@pytest.mark.parametrize("url", ["amqp://192.0.2.1//", "amqp://no.such.invalid//", "amqps://localhost//", "amqp://a:b"])
def test_another_machines_is_not_embedded_nor_an_encrypted_one(url: str) -> None:
    with pytest.raises(DevkitError, match="does not answer: Connection refused"):
        embed(url)


def test_one_that_answers_is_used() -> None:
    assert embed("amqp://localhost:1//", error=None) == ("amqp://localhost:1//", None)


def test_that_of_another_project_is_not() -> None:
    """Which one is meant by an address without a port, the app says (`devkit.agent.ours`)."""
    anothers = {"broker": ["amqp://localhost//", "/other"]}

    assert embed("amqp://localhost//", error=None, anothers=anothers) == ("amqp://guest:guest@127.0.0.1:7777//", 7777)
    assert decide(facts("amqp://localhost//", anothers=anothers))[::3] == (
        f"{EMBEDDED}/0", "amqp://localhost//: the embedded RabbitMQ of /other",
    )  # fmt: skip


def test_a_missing_backend_is_embedded_beside_it() -> None:
    app = facts("amqp://", "redis://cache/1", broker_error=REFUSED, result_backend_error=REFUSED)
    ports = {"redis": 7777, "rabbitmq": 8888}
    choice = choose(app, Choice("amqp://", None), lambda name, *_, **__: Port(ports[name]), lambda: False)

    assert choice == Choice(
        "amqp://guest:guest@127.0.0.1:8888//",
        f"{EMBEDDED}/1",
        Port(7777),
        rabbitmq_port=Port(8888),
        replaced=(Replaced("redis://cache/1", REFUSED),),
    )


# --- an embedded RabbitMQ, where Redis will not do ---

OWN = "amqp://shop:secret@rabbitmq:5672/shop"
NO_REDIS = "No module named 'redis'"


def stand_in(app: AppFacts, *, installed: bool = True) -> Choice:
    ports = {"redis": 7777, "rabbitmq": 8888}
    return choose(app, Choice(None, None), lambda name, *_, **__: Port(ports[name]), lambda: installed)


def test_an_app_that_cannot_speak_redis_gets_a_rabbitmq() -> None:
    choice = stand_in(facts(OWN, "rpc://", broker_error=REFUSED, redis_lacks=NO_REDIS), installed=False)

    assert choice.broker == "amqp://shop:secret@127.0.0.1:8888/shop"
    assert (choice.result_backend, choice.embedded_port, choice.rabbitmq_port) == (None, None, Port(8888))
    assert choice.no_redis == f"the app cannot speak Redis: {NO_REDIS}"
    assert choice.replaced == (Replaced(OWN, REFUSED),)


def test_its_results_come_by_rpc_where_its_own_backend_is_away() -> None:
    app = facts(OWN, "db+postgresql://db/x", broker_error=REFUSED, result_backend_error="x", redis_lacks=NO_REDIS)

    assert stand_in(app).result_backend == "rpc://"


def test_whatever_its_own_broker_is() -> None:
    app = facts("sqs://", broker_error="No module named 'boto3'", missing=True, redis_lacks=NO_REDIS)

    assert stand_in(app).broker == "amqp://guest:guest@127.0.0.1:8888//"


def test_but_not_where_it_means_redis() -> None:
    """The package is what it needs, and not another server."""
    url = "redis://:secret@cache/0"
    for app in (
        facts(url, broker_error=NO_REDIS, missing=True, redis_lacks=NO_REDIS),
        facts(OWN, url, broker_error=REFUSED, result_backend_error=NO_REDIS, missing=True, redis_lacks=NO_REDIS),
    ):
        with pytest.raises(DevkitError, match="cannot speak Redis") as caught:
            stand_in({**app, "broker_missing": app["broker"] == url})
        assert caught.value.mend[0] == "/env/python -m pip install 'celery[redis]' 'kombu[redis]'"
        assert "secret" not in caught.value.what


def test_queues_that_need_rabbitmq_get_it_where_there_is_one() -> None:
    app = facts(OWN, broker_error=REFUSED, amqp_needs=["x-max-priority"])

    assert stand_in(app).broker == "amqp://shop:secret@127.0.0.1:8888/shop"
    assert stand_in(app).no_redis == "it has queues with x-max-priority"
    assert stand_in(app, installed=False).broker == f"{EMBEDDED}/0"
    assert stand_in(app, installed=False).strangers == "amqp://shop:***@rabbitmq:5672/shop"


def test_what_redis_takes_the_place_of_is_told_once() -> None:
    app = facts(OWN, "mongodb://db/x", broker_error=REFUSED, result_backend_error=REFUSED)

    assert stand_in(app).strangers == "amqp://shop:***@rabbitmq:5672/shop and mongodb://db/x"
    assert stand_in(facts("redis://cache", broker_error=REFUSED)).strangers == ""


def test_one_asked_for_whose_package_is_missing_says_which() -> None:
    with pytest.raises(DevkitError) as caught:
        choose(facts("sqs://", broker_error="x", missing=True), Choice("sqs://", None), no_port, lambda: True)
    assert caught.value.mend[0] == "/env/python -m pip install 'celery[sqs]'"


def test_an_app_that_speaks_tls_whatever_the_address_is_told_so() -> None:
    app: AppFacts = {**facts("rediss://cache", "rediss://cache", broker_error=REFUSED), "tls": ["broker_use_ssl"]}

    with pytest.raises(DevkitError, match="rediss://cache does not answer") as caught:
        stand_in(app)
    assert "the app has broker_use_ssl set" in caught.value.looked[0]
    assert stand_in({**app, "broker_error": None}).broker is None
