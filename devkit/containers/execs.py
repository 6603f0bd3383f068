"""How to run a command in a container or a pod, its standard input and output being ours."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Exec(Hashable, Protocol):
    """A place where commands can be run; `name` is what people call it."""

    @property
    def name(self) -> str: ...

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command of this machine that runs `command` there."""


@dataclass(frozen=True)
class InContainer:
    """By `docker exec`; `container` is its id or its name."""

    container: str
    name: str
    docker: str = "docker"

    def argv(self, command: Sequence[str]) -> list[str]:
        return [self.docker, "exec", "-i", self.container, *command]


@dataclass(frozen=True)
class InPod:
    """By `kubectl exec`; an empty namespace is the one that kubectl is set to."""

    pod: str
    namespace: str = ""
    container: str = ""
    kubectl: str = "kubectl"

    @property
    def name(self) -> str:
        return f"{self.namespace}/{self.pod}" if self.namespace else self.pod

    def argv(self, command: Sequence[str]) -> list[str]:
        chosen = ["-c", self.container] if self.container else []
        return [self.kubectl, *self._in_namespace(), "exec", "-i", self.pod, *chosen, "--", *command]

    def _in_namespace(self) -> list[str]:
        return ["-n", self.namespace] if self.namespace else []
