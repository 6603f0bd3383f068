"""In which container a process runs, from what an engine mounts there."""

import socket
from pathlib import Path

import pytest

from devkit.model import container
from devkit.model.container import container_id

ID = "a856585b47789176cb92744ff65828db6b48952a99a01fe766b1687cdc1a7d01"
OTHER = "0" * 64
DOCKER = f"""\
196 195 0:55 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/{OTHER}/diff
215 196 254:0 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda rw
216 196 254:0 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw
"""
PODMAN = f"99 98 0:44 /containers/storage/overlay-containers/{ID}/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw\n"
NOTHING = f"30 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 30 8:1 /srv/{OTHER}/data /data rw - ext4 /dev/sda1 rw\n"


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is there in containers only."""
    monkeypatch.setattr(container, "MARKS", (str(tmp_path / ".dockerenv"),))
    monkeypatch.delenv(container.IN_A_POD, raising=False)
    return tmp_path / ".dockerenv"


def told(tmp_path: Path, mounts: str) -> str:
    path = tmp_path / "mountinfo"
    path.write_text(mounts)
    return container_id.__wrapped__(str(path))


@pytest.mark.parametrize("mounts", [DOCKER, PODMAN])
def test_its_id(tmp_path: Path, mark: Path, mounts: str) -> None:
    mark.touch()
    assert told(tmp_path, mounts) == ID


def test_one_that_does_not_tell_has_its_hostname(tmp_path: Path, mark: Path) -> None:
    mark.touch()
    assert told(tmp_path, NOTHING) == socket.gethostname()
    assert container_id.__wrapped__(str(tmp_path / "nowhere")) == socket.gethostname()


@pytest.mark.usefixtures("mark")
def test_outside_of_containers(tmp_path: Path) -> None:
    """The host of an engine has the containers' mounts as well."""
    assert told(tmp_path, DOCKER) == ""


@pytest.mark.usefixtures("mark")
def test_a_pod_is_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not container.in_container()

    monkeypatch.setenv(container.IN_A_POD, "10.0.0.1")
    assert container.in_container()
