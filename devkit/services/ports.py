"""The ports of one stack's services: those asked for, or the next free ones."""

from dataclasses import dataclass

from devkit.errors import DevkitError, UsageError
from devkit.settings.options import Options
from devkit.stack.ports import Reservations, holder, is_free

USUAL_PORTS = {"redis": 6379, "rabbitmq": 5672, "api": 8000, "flower": 5555}


@dataclass(frozen=True)
class Port:
    """A port, and what to say of it: that the usual one is taken."""

    number: int
    note: str = ""


class Ports:
    """Hands out the ports of one stack; they are its own until `close`."""

    def __init__(self, options: Options) -> None:
        self._reservations = Reservations()
        self.close = self._reservations.close
        self._asked = {
            "redis": options.redis_port,
            "rabbitmq": options.rabbitmq_port,
            "api": options.api_port,
            "flower": options.flower_port,
        }
        self._taken = {port for port in self._asked.values() if port is not None}

    def near(self, port: int) -> int:
        """This port, or the next free one, for something that has no setting for it."""
        found = self._reservations.next_free(port, self._taken)
        self._taken.add(found)
        return found

    def choose(self, name: str, asked: int | None = None, wish: int | None = None) -> Port:
        """The port for a service: the one asked for, here or by a setting; else the one wished for if it is free, or
        the first free one from its usual one on. A name that is not known is a further API's.

        Raises DevkitError when the one asked for is in use, naming who holds it.
        """
        if asked is not None:
            self._asked[name] = asked
            self._taken.add(asked)
        asked, usual = self._asked.get(name), USUAL_PORTS.get(name) or self._beside(USUAL_PORTS["api"])
        if asked is None:
            first = wish or usual
            found = self._reservations.next_free(usual, self._taken, first)
            self._taken.add(found)
            return Port(found) if found == first else Port(found, f" (port {first} is taken)")
        setting = f"{name}_port" if name in USUAL_PORTS else f"port of [tool.devkit.apis.{name}]"
        if list(self._asked.values()).count(asked) > 1:
            raise UsageError(f"port {asked} is asked for twice", mend=[f"correct {setting}, or leave it out"])
        if not is_free(asked):
            raise DevkitError(
                f"port {asked}, asked for by {setting}, is taken by {holder(asked)}",
                mend=["stop that, or ask for another port", f"leave {setting} out: devkit takes the next free one"],
            )
        return Port(asked)

    def _beside(self, port: int) -> int:
        """The first from this one on that this stack has not given to another of its services."""
        while port in self._taken:
            port += 1
        return port
