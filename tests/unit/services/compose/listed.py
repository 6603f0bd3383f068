"""Containers as docker would tell of them."""

from typing import Any

from devkit.containers.docker import Container, PublishedPort


def container(service: str, **more: Any) -> Container:
    """One of the compose project `shop`, in /shop, with nothing published."""
    given: dict[str, Any] = {
        "id": service.encode().hex().ljust(64, "0"), "name": f"shop-{service}-1", "project": "shop", "service": service,
        "number": 1, "folder": "/shop", "config_files": (), "image": "", "hostname": f"host-of-{service}",
        "aliases": frozenset(), "environ": {}, "mounts": (), "ports": (), "state": "running", "health": "", "pid": 1,
        "restarts": 0, "exit_code": 0, "started_at": "", "health_log": (),
    }  # fmt: skip
    return Container(**{**given, **more})


def published(inside: int, number: int, host: str = "127.0.0.1") -> PublishedPort:
    return PublishedPort(inside, host, number)
