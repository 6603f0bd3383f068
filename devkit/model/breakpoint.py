"""A place where tasks are to pause though nobody has edited the code."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from .text import is_named

Kind = Literal["line", "task", "failure", "ide"]
KINDS = ("line", "task", "failure", "ide")


@dataclass(frozen=True)
class Breakpoint:
    """A line, the first line of a task, or the failure of a task; "ide": the first line of a task, in an editor.

    `number` is 0 until it is stored. `file` and `line` say where a line is; the file is relative to the project's root
    if it is inside. `task` is a task's name or the end of its dotted name; "" is any task's failure. `condition` is an
    expression, or "". `retries`: failures after which the task is tried again count as well. `context` holds the
    lines around the line when the breakpoint was set and `at` its index there: the line can be followed. `port` is
    where the editor is waited for. With `task_id` it is for this one run of the task, and only if that does not call a
    debugger itself.
    """

    number: int
    kind: Kind
    file: str = ""
    line: int = 0
    task: str = ""
    condition: str = ""
    retries: bool = False
    context: tuple[str, ...] = ()
    at: int = 0
    port: int = 0
    task_id: str = ""

    @property
    def place(self) -> "tuple[str, str, int, str, str]":
        """What tells it from others: two breakpoints at one place are one."""
        return self.kind, self.file, self.line, self.task, self.task_id

    def concerns(self, task: str) -> bool:
        """Whether a task of this full name is meant."""
        return not self.task or is_named(task, self.task)

    def to_wire(self) -> "dict[str, Any]":
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_wire(cls, data: "dict[str, Any]") -> "Breakpoint":
        """Raises KeyError, TypeError or ValueError for what is not a breakpoint."""
        data = {**data, "context": tuple(data["context"])}
        found = cls(**{field.name: data[field.name] for field in fields(cls)})
        model = cls(number=0, kind="line")
        if any(type(getattr(found, field.name)) is not type(getattr(model, field.name)) for field in fields(cls)):
            raise TypeError(f"no breakpoint: {data}")
        if found.kind not in KINDS or not all(isinstance(line, str) for line in found.context):
            raise ValueError(f"no breakpoint: {data}")
        if found.context and not 0 <= found.at < len(found.context):
            raise ValueError(f"no breakpoint: {data}")
        return found
