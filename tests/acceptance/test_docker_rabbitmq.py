"""The embedded RabbitMQ from docker, on a machine that has no other."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kombu.connection import Connection

from devkit.model.embedded import anothers_project
from devkit.services.ports import Port
from devkit.services.stack import rabbitmq
from devkit.services.stack.rabbitmq import IMAGE, rabbitmq_service
from devkit.stack.process import Process
from devkit.stack.service import Poll
from tests.acceptance.harness import free_port, wait_until
from tests.unit.services.projects import project_in

BOOT_S = 120.0


def has_image() -> bool:
    docker = shutil.which("docker")
    asking = [docker or "false", "image", "inspect", IMAGE]
    return subprocess.run(asking, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not has_image(), reason=f"needs docker and its image {IMAGE}: docker pull {IMAGE}")


def test_it_answers_says_whose_it_is_keeps_its_data_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq, "find_rabbitmq_server", lambda _: None)
    programs = tmp_path / "programs"
    programs.mkdir()
    docker = shutil.which("docker")
    assert docker
    (programs / "docker").symlink_to(docker)
    project = project_in(tmp_path, environ={"PATH": str(programs), "HOME": os.environ["HOME"]})
    port = free_port()
    url = f"amqp://shop:p%40ss@127.0.0.1:{port}/warehouse"

    service = rabbitmq_service(project, "rabbitmq", url, Port(port))
    assert service.how == f"embedded, docker image {IMAGE}, data in .devkit/rabbitmq"
    assert "p@ss" not in " ".join(service.argv)
    assert isinstance(service.ready, Poll)
    for text in ("kept", None):
        process = Process(service.argv, cwd=service.cwd, env=service.env, stdin_open=service.stdin_open)
        process.follow(lambda _: None, lambda _: None)
        try:
            wait_until(service.ready.check, BOOT_S)
            connection: Any = Connection(url)  # type: ignore[no-untyped-call]
            with connection, closing(connection.SimpleQueue("waiting")) as queue:
                if text:
                    queue.put(text)
                else:
                    assert queue.get(timeout=5).payload == "kept"
            assert anothers_project(url, str(tmp_path / "elsewhere")) == str(tmp_path)
        finally:
            process.end_orders()  # as when devkit is gone
            assert process.wait() in (0, 143)
    container = f"volume={service.cwd}"
    wait_until(lambda: not subprocess.check_output([docker, "ps", "--quiet", "--filter", container]))
