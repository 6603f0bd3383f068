"""What was asked of `devkit debug`, and whether that goes together."""

from collections.abc import Sequence
from dataclasses import dataclass

from devkit.errors import UsageError


@dataclass(frozen=True)
class DebugRequest:
    """The options of the command, as they were typed."""

    task: str | None
    listing: bool
    run_it: bool
    args_json: str
    kwargs_json: str
    queue: str | None
    places: Sequence[str]
    condition: str
    on_failure: bool
    retries: bool
    ide: bool
    ide_port: int | None
    list_breakpoints: bool
    clear: bool
    commands: Sequence[str]
    port: int | None
    host: str
    container: str | None
    pod: str | None
    namespace: str | None
    timeout: float | None
    no_wait: bool
    as_json: bool

    @property
    def breaks(self) -> bool:
        """Whether it says where to pause."""
        return bool(self.places or self.on_failure)

    def check_together(self) -> None:
        """Raises UsageError for options that do not go together."""
        call = self.args_json, self.kwargs_json, self.queue
        wrong = {
            "--run needs a TASK": self.run_it and self.task is None,
            "--args, --kwargs and --queue belong to --run": call != ("[]", "{}", None) and not self.run_it,
            "--ide needs a TASK": self.ide and self.task is None,
            "--ide-port belongs to --ide": self.ide_port is not None and not self.ide,
            "--ide goes without --break, --on-failure and --execute": self.ide and (self.breaks or self.commands),
            "--if belongs to --break": self.condition and not self.places,
            "--retries belongs to --on-failure": self.retries and not self.on_failure,
            "--no-wait belongs to --break or --on-failure": self.no_wait and not self.breaks,
            "--namespace belongs to --pod": self.namespace is not None and self.pod is None,
            "--container and --pod exclude each other": self.container is not None and self.pod is not None,
            "--json belongs to --list or --breakpoints": self.as_json and not (self.listing or self.list_breakpoints),
        }
        if message := next((text for text, is_wrong in wrong.items() if is_wrong), None):
            raise UsageError(message, mend=["see devkit debug --help"])
