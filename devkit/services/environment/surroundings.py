"""The variables of the project's processes: what compose gives them below `.env` and the real environment, and with
the names of containers made into addresses of this machine."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from devkit.model.wire import Server
from devkit.services.environment.files import inside
from devkit.services.environment.hosts import mapped, names_in
from devkit.services.environment.servers import answers, brokers_among, known_here, published, stand_ins
from devkit.settings.evidence.compose import ComposeService, compose_services, has_compose_file
from devkit.settings.evidence.defaults import with_default
from devkit.settings.evidence.given import NOTHING, Given, Whose, given, runs_own_code
from devkit.settings.load import Settings


@dataclass(frozen=True)
class Surroundings:
    """What the project's files tell of the environment of one of its programs.

    `given` are compose's variables, `withheld` those of them that lead to a container which is not here, or to a file
    in it, and that the code has a default for. `servers` are where the compose file's services are here, `services`
    all of these, `reached` the names of those that answer, `started` of those that the stack has started for itself.
    """

    found: Given = NOTHING
    given: Mapping[str, str] = field(default_factory=dict)
    withheld: Sequence[str] = ()
    servers: Sequence[Server] = ()
    services: Sequence[ComposeService] = ()
    reached: frozenset[str] = frozenset()
    started: frozenset[str] = frozenset()

    def with_brokers(self, brokers: Mapping[str, str]) -> "Surroundings":
        """The same, once it is known which broker and which result backend there are."""
        new = stand_ins([one for one in _absent(self.services) if one.name not in self.started], brokers)
        reached = self.reached | {name for server in new for name in server["names"]}
        return replace(self, servers=[*self.servers, *new], reached=reached)

    @property
    def broker_names(self) -> list[str]:
        """How containers call what may be a broker or a result backend."""
        return brokers_among(self.services)

    def changes(self, settings: Settings) -> dict[str, str]:
        """The variables that a process gets besides the settings' own `environ`, or in the place of these."""
        return changes(settings, self.given, self.servers)

    def missing(self, settings: Settings, replaced: Collection[str] = ()) -> dict[str, list[str]]:
        """Services of the compose file that variables name and that are nowhere here, each with these variables.

        The values `replaced` are addresses in whose place the processes get others, by variables of Celery's own.
        """
        absent = {name: one for one in _absent(self.services) if not runs_own_code(one) for name in one.names}
        found: dict[str, list[str]] = {}
        for variable, value in _from_files(settings, self.given).items():
            for name in names_in(variable, value, list(absent)):
                if name not in self.reached and value not in replaced:
                    found.setdefault(absent[name].name, []).append(variable)
        return found


def changes(settings: Settings, given: Mapping[str, str], servers: Sequence[Server]) -> dict[str, str]:
    """What is given that nothing else sets, and all that names one of the servers, as it is right here."""
    own = {name: value for name, value in given.items() if name not in settings.environ}
    return own | mapped(_from_files(settings, given), servers)


def _from_files(settings: Settings, given: Mapping[str, str]) -> dict[str, str]:
    """The variables that are not really set: nobody but whoever did that knows what is meant."""
    files = {name: value for name, value in settings.environ.items() if name not in settings.inherited}
    return {name: value for name, value in {**given, **files}.items() if name not in settings.inherited}


def find_surroundings(
    settings: Settings, program: Whose, *, brokers: Mapping[str, str] = {}, started: Sequence[Server] = ()
) -> Surroundings:
    """For a program of the project; `brokers` are those of the running stack, `started` servers that it has started.

    Nothing is read where there is no compose file. Raises UsageError for an --env-from that is wrong.
    """
    asked = settings.options.env_from
    if not asked and not has_compose_file(settings.root):
        return Surroundings()
    services = compose_services(settings.root)
    found = given(settings.root, program, asked)
    absent = _absent(services)
    here = [*published(absent), *started]
    places = {place for one in stand_ins(services, brokers) for place in one["ports"].values()}
    reached = frozenset(name for one in here if answers(one, places) for name in one["names"])
    names = [name for one in absent for name in one.names if name not in reached]
    files = inside(found.services, services)
    paths = {name: files.here(one.value) for name, one in found.variables.items()}
    values = {name: one.value if (path := paths[name]) is None else path for name, one in found.variables.items()}
    astray = {name for name, value in values.items() if paths[name] is None or names_in(name, value, names)}
    withheld = with_default(settings.root, astray - settings.environ.keys()) if not asked else set()
    variables = {name: value for name, value in values.items() if name not in withheld}
    own = frozenset(name for server in started for name in server["names"])
    return Surroundings(found, variables, sorted(withheld), here, services, reached, own).with_brokers(brokers)


def _absent(services: Sequence[ComposeService]) -> list[ComposeService]:
    """Those whose names lead nowhere from here by themselves."""
    known = known_here(frozenset(one.name for one in services))
    return [one for one in services if one.name not in known]
