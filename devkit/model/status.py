"""What a running stack tells about itself: the value behind `devkit status`."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from devkit.errors import DevkitError

State = Literal["starting", "ready", "reloading", "failed", "stopped"]


@dataclass(frozen=True)
class ServiceStatus:
    """One service. `ready_s` is seconds from its own start to ready, `restarts` counts those after crashes."""

    name: str
    state: State
    pid: int | None
    url: str | None
    ready_s: float | None
    restarts: int
    generation: int
    note: str
    how: str


@dataclass(frozen=True)
class StackStatus:
    """One project's stack. `environ` holds what the services got beyond the user's environment."""

    project: str
    pid: int | None
    uptime_s: float | None
    services: tuple[ServiceStatus, ...]
    tasks: tuple[str, ...] = ()
    environ: dict[str, str] | None = None

    def to_wire(self) -> dict[str, Any]:
        """As JSON values, for the control socket."""
        return asdict(self)

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> "StackStatus":
        """Raises DevkitError for the status of a stack of another version."""
        try:
            services = tuple(ServiceStatus(**service) for service in data["services"])
            return cls(**{**data, "services": services, "tasks": tuple(data["tasks"])})
        except (KeyError, TypeError) as error:
            raise DevkitError(
                "the stack that runs is of another version of devkit", mend=["stop it: devkit down"]
            ) from error

    def to_json(self) -> dict[str, Any]:
        """The document of `devkit status --json`: no URL in it carries a password."""
        keys = ("name", "state", "pid", "url", "ready_s", "restarts", "generation", "note")
        return {
            "project": self.project,
            "pid": self.pid,
            "uptime_s": self.uptime_s,
            "services": [{key: getattr(service, key) for key in keys} for service in self.services],
        }
