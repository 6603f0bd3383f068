"""What was asked of `devkit replay`, and whether that goes together."""

from collections.abc import Sequence
from dataclasses import dataclass

from devkit.errors import UsageError


@dataclass(frozen=True)
class Request:
    """The options of the command, as they were typed."""

    failures: Sequence[str]
    pdb: bool
    breaks: bool
    args_json: str | None
    kwargs_json: str | None
    live: bool
    same: bool
    watch: bool
    send: bool
    queue: str | None
    yes: bool
    save: str | None
    with_secrets: bool
    to_test: str | None
    every: bool
    task: str | None
    since: str | None
    check: bool
    allow_pickle: bool
    as_json: bool

    @property
    def prompts(self) -> bool:
        """Whether somebody steps through the task."""
        return self.pdb or self.breaks

    @property
    def many(self) -> bool:
        """Whether there may be more than one."""
        return self.every or len(self.failures) > 1

    def check_together(self) -> None:
        """Raises UsageError for options that do not go together."""
        if not (self.failures or self.every):
            raise UsageError(
                "which failure?", mend=["give an id, or a file that --save wrote", "see them: devkit failures"]
            )
        if self.failures and self.every:
            raise UsageError("--all is every failure: it takes no id besides", mend=["leave out one of the two"])
        self._check_what_is_missing()
        self._check_what_is_done()
        one_only = {"--save": self.save, "--to-test": self.to_test, "--watch": self.watch,
                    "--pdb": self.pdb, "--break": self.breaks}  # fmt: skip
        for option, value in one_only.items():
            if value and self.many:
                raise UsageError(f"{option} is for one failure", mend=["name it by its id: devkit failures"])
            if value and self.as_json and option != "--to-test":
                raise UsageError(f"{option} is for people, --json for scripts", mend=["leave out one of the two"])

    def _check_what_is_missing(self) -> None:
        needs = {
            "--queue": (self.queue, "--send", self.send),
            "--yes": (self.yes, "--send", self.send),
            "--with-secrets": (self.with_secrets, "--save or --to-test", self.save or self.to_test),
            "--task": (self.task, "--all", self.every),
            "--since": (self.since, "--all", self.every),
        }
        for option, (value, other, present) in needs.items():
            if value and not present:
                raise UsageError(f"{option} goes with {other} only", mend=[f"add {other}, or leave it out"])

    def _check_what_is_done(self) -> None:
        does = {"--send": self.send, "--save": self.save, "--to-test": self.to_test, "--check": self.check,
                "--watch": self.watch}  # fmt: skip
        chosen = [option for option, value in does.items() if value]
        if len(chosen) > 1:
            raise UsageError(f"{' and '.join(chosen)} do not go together", mend=["one after the other"])
        runs = {"--pdb": self.pdb, "--break": self.breaks, "--live": self.live, "--same": self.same}
        given = {"--args": self.args_json is not None, "--kwargs": self.kwargs_json is not None}
        without = {"--send": runs | given, "--save": runs | given, "--check": runs}
        for option in without.keys() & {*chosen}:
            for other, value in without[option].items():
                if value:
                    raise UsageError(
                        f"{option} runs nothing here: {other} does not go with it", mend=[f"leave out {other}"]
                    )
