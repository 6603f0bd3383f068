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
        does = {"--send": self.send, "--save": self.save, "--to-test": self.to_test, "--check": self.check,
                "--watch": self.watch}  # fmt: skip
        chosen = [option for option, value in does.items() if value]
        if len(chosen) > 1:
            raise UsageError(f"{' and '.join(chosen)} do not go together", mend=["one after the other"])
        one_only = {**does, "--pdb": self.pdb, "--break": self.breaks}
        for option in ("--save", "--to-test", "--watch", "--pdb", "--break"):
            if one_only[option] and self.many:
                raise UsageError(f"{option} is for one failure", mend=["name it by its id: devkit failures"])
        for option in ("--watch", "--pdb", "--break"):
            if one_only[option] and self.as_json:
                raise UsageError(f"{option} is for people, --json for scripts", mend=["leave out one of the two"])
