"""Which of an app's addresses are another project's."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery

from devkit.agent.app.describe import refuse_anothers
from devkit.agent.app.load import Problem
from devkit.agent.ours import VARIABLE, anothers
from devkit.model.address import USUAL_PORTS
from tests.unit.serving import rabbitmq_of, redis_of, serving

Ours = Callable[..., None]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of another project's embedded Redis."""
    with serving(lambda _: redis_of("/theirs/.devkit/redis")) as port:
        yield f"redis://localhost:{port}"


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> Ours:
    """What devkit tells the process."""

    def tell(*settled: str, data: str = "/ours/.devkit") -> None:
        monkeypatch.setenv(VARIABLE, json.dumps({"data": data, "settled": settled}))

    return tell


def app(**conf: Any) -> Celery:
    made = Celery("shop", set_as_current=False)
    made.conf.update(conf)
    return made


def test_broker_and_result_backend(ours: Ours, url: str) -> None:
    ours()
    both = app(broker_url=f"{url}/0", result_backend=f"{url}/1")

    assert anothers(both) == {"broker": [f"{url}/0", "/theirs"], "result backend": [f"{url}/1", "/theirs"]}
    assert anothers(app(broker_url="memory://", result_backend=f"{url}/1")).keys() == {"result backend"}
    assert anothers(app(broker_url="memory://", result_backend="rpc://")) == {}


def test_a_result_backend_by_its_kind_alone_is_at_the_usual_address(ours: Ours, url: str) -> None:
    ours()
    port = int(url.rpartition(":")[2])

    found = anothers(app(broker_url="memory://", result_backend="redis", redis_port=port))
    assert found == {"result backend": [url, "/theirs"]}
    assert anothers(app(broker_url="memory://", result_backend="redis", redis_host="192.0.2.1", redis_port=port)) == {}


@pytest.mark.parametrize("name", ["broker_url", "broker_read_url", "broker_write_url"])
def test_whichever_way_the_broker_is_named_and_if_it_is_one_of_several(ours: Ours, url: str, name: str) -> None:
    ours()
    for value in (url, ["memory://", url], f"memory://;{url}"):
        assert anothers(app(**{"broker_url": "memory://", name: value})) == {"broker": [url, "/theirs"]}


def test_ones_own(ours: Ours, url: str) -> None:
    ours(data="/theirs/.devkit")

    assert anothers(app(broker_url=url)) == {}


def test_what_was_asked_for_or_given_by_the_stack_is_settled(ours: Ours, url: str) -> None:
    ours(f"{url}/0")

    assert anothers(app(broker_url=f"{url}/0", result_backend=f"{url}/1")).keys() == {"result backend"}
    ours(f"memory://;{url}/0")
    assert anothers(app(broker_url=["memory://", f"{url}/0"])) == {}


def test_without_a_port_no_rabbitmq_in_particular_is_asked_for(ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda _: rabbitmq_of("/theirs/.devkit/rabbitmq")) as port:
        monkeypatch.setitem(USUAL_PORTS, "amqp", port)
        ours("amqp://localhost//", f"amqp://localhost:{port}//")

        assert anothers(app(broker_url="amqp://localhost//")) == {"broker": ["amqp://localhost//", "/theirs"]}
        assert anothers(app(broker_url=f"amqp://localhost:{port}//")) == {}


def test_a_process_that_devkit_did_not_start_knows_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    assert anothers(app(broker_url=url)) == {}


def test_a_configuration_that_cannot_be_read_is_not_our_business(ours: Ours) -> None:
    ours()
    broken = Celery("shop", set_as_current=False, config_source="no.such.module")

    assert anothers(broken) == {}


def test_it_is_refused_as_a_problem(ours: Ours, url: str) -> None:
    ours()
    with pytest.raises(Problem) as caught:
        refuse_anothers(app(broker_url=url))
    assert json.loads(json.dumps(caught.value.report)) == {
        "problem": "another's", "anothers": {"broker": [url, "/theirs"]},
    }  # fmt: skip

    refuse_anothers(app(broker_url="memory://"))
