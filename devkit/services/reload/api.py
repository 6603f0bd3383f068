"""The API: what a generation of it runs, and the service that `devkit up` makes of `devkit api`."""

import socket
from collections.abc import Mapping

from devkit.errors import DevkitError, UsageError
from devkit.model.wire import ApiOrder, ServiceOrder
from devkit.services.commands import app_in
from devkit.services.ports import Ports
from devkit.services.project.apps import api_program
from devkit.services.project.programs import find_apis, named, served
from devkit.settings.discover import AppRef
from devkit.settings.evidence.given import Whose
from devkit.settings.load import Settings
from devkit.settings.options import Options
from devkit.stack.ports import holder

# Open streams and WebSockets get this long at a stop; uvicorn's default is for ever.
GRACE_S = 2
BACKLOG = 2048


class ApiPlan:
    """What `devkit api` runs: uvicorn, on a socket that is bound once and outlives every generation."""

    kind: Whose = "api"
    resumes = False

    def __init__(self, asked: str | None, host: str, name: str = "", *, factory: bool = False) -> None:
        """`asked` is MODULE:ATTR, of the app or, with `factory`, of what makes it; without it the setting, fastapi's
        own or discovery tell. `name` is which of the APIs it is, empty for the first."""
        self._asked = asked
        self._host = host
        self.name = name
        self._factory = factory
        # A zygote inherits the socket before the port is known.
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.keep: tuple[int, ...] = (self._socket.fileno(),)

    def preloads(self, settings: Settings) -> bool:  # noqa: ARG002 - the worker's depends on its pool
        return True

    def drain_s(self, options: Options) -> float:
        return options.api_drain_timeout

    def take(self, order: ServiceOrder) -> None:
        """Which app is all that there is to know."""

    def find_app(self, settings: Settings) -> AppRef:
        """The app set, or the one found. Raises DevkitError."""
        if self._asked:
            found = api_program(settings, self._asked)
        else:
            apis = find_apis(settings)
            found = apis[named(apis, self.name)] if apis else None
        if found is None or found.kind != "asgi" or found.app is None:
            raise UsageError(
                "no FastAPI app found" if found is None else f"{found.name} is no ASGI app but of {found.kind}",
                looked=[f"the Python files under {settings.root}"],
                mend=["name it: devkit api MODULE:ATTR"],
            )
        return served(found.app, factory=found.factory or self._factory)

    def bind(self, settings: Settings, port: int | None) -> str:
        """Take the port; returns the URL. Raises DevkitError when one that was asked for is in use."""
        note = ""
        port = port or next((table.port for table in settings.apis if table.name == self.name), None)
        if port is None:
            ports = Ports(settings.options)  # its reservation is not given back: the socket takes its place
            chosen = ports.choose("api")
            port, note = chosen.number, chosen.note
        try:
            self._socket.bind((self._host, port))
            self._socket.listen(BACKLOG)
        except OSError as error:
            raise DevkitError(
                f"cannot listen on {self._host} port {port}: {error.strerror}; it is taken by {holder(port)}",
                mend=["stop that, or ask for another port: --port"],
            ) from error
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}{note}"

    def order(self, settings: Settings, app: AppRef, env: Mapping[str, str], number: int) -> ApiOrder:  # noqa: ARG002
        """Which application to serve, and on which socket."""
        return {
            **app_in(app, env),
            "kind": "api",
            "socket": self._socket.fileno(),
            "grace_s": GRACE_S,
        }
