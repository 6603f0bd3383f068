"""A task that failed, with all that it takes to run it again."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .wire import Json, Record

SCHEMA = 1
# What a field's type is in JSON.
KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "bool": (bool,), "float": (int, float), "float | None": (int, float, type(None)),
    "tuple[str, ...]": (list,), "dict[str, Any]": (dict,), "dict[str, str]": (dict,),
}  # fmt: skip


class Unreadable(ValueError):  # noqa: N818 - it says what the record is
    """A record that is cut short, of a later version of devkit, or none at all; the message says which."""


@dataclass(frozen=True)
class Frame:
    """One frame of the traceback; `own` is one of the project's own code, which alone has locals (short, masked)."""

    file: str
    line: int
    function: str
    module: str
    source: str
    own: bool
    locals: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_wire(cls, data: Json) -> Frame:
        """Raises KeyError or TypeError for what is none."""
        return cls(**{item.name: _typed(str(item.type), data[item.name]) for item in fields(cls)})


@dataclass(frozen=True)
class Failure:
    """One run of a task that failed. Times are seconds since the epoch.

    `body` is the message's body as it arrived (args, kwargs and embed, by Celery's protocol 2), None where it was not
    kept; `missing` says why then, and what would have kept it. `limits` names what about the arguments may not be as
    it was. `call` is the arguments as text for people, secrets masked; `names` the parameters of the positional ones.
    `exception` is the type's full name, without `builtins`. `revision` is the project's git commit, with `-dirty` where
    it was edited since; empty where there is none.
    """

    id: str
    task: str
    state: str  # FAILURE, REJECTED or RETRY
    retries: int
    exception: str
    message: str
    traceback: str
    frames: tuple[Frame, ...]
    call: str
    names: tuple[str, ...]
    headers: dict[str, Any]
    properties: dict[str, Any]
    delivery_info: dict[str, Any]
    content_type: str
    content_encoding: str
    failed_at: float
    started_at: float | None
    worker: str
    revision: str
    source: str = "recorded"  # or "result", or "file"
    limits: tuple[str, ...] = ()
    missing: str = ""
    body: bytes | None = None

    @property
    def key(self) -> str:
        """Tells this run from the task's other ones."""
        return f"{self.id}:{self.retries}"

    @property
    def counts(self) -> bool:
        """Whether it is a failure, and not one of the runs before it."""
        return self.state != "RETRY"

    @property
    def own_frame(self) -> Frame | None:
        """The innermost frame of the project's own code."""
        return next((frame for frame in reversed(self.frames) if frame.own), None)

    @property
    def pickled(self) -> bool:
        """Whether reading the arguments may run any code."""
        return any(name in self.content_type for name in ("pickle", "python-serialize"))

    @property
    def replayable(self) -> bool:
        """Whether the arguments are there, and can be read without running code."""
        return self.body is not None and not self.pickled

    def to_wire(self) -> dict[str, Any]:
        """As JSON values, all but the body."""
        # dataclasses.asdict takes as long as all the rest of keeping a failure.
        data = {**vars(self), "frames": tuple(dict(vars(frame)) for frame in self.frames)}
        del data["body"]
        return {"schema": SCHEMA, **data}

    def to_record(self) -> Record:
        """As JSON values, with the body."""
        return {"failure": self.to_wire(), "body": None if self.body is None else b64encode(self.body).decode()}

    @classmethod
    def from_record(cls, record: Record) -> Failure:
        """Raises Unreadable."""
        return cls.from_wire(record["failure"], None if record["body"] is None else b64decode(record["body"]))

    @classmethod
    def from_wire(cls, data: Json, body: bytes | None = None) -> Failure:
        """Raises Unreadable for what is no failure, or one that a later version wrote."""
        if not isinstance(data, dict) or type(data.get("schema")) is not int:
            raise Unreadable("it is no record of a failure")
        if data["schema"] != SCHEMA:
            raise Unreadable(f"it has schema {data['schema']}, and this devkit reads {SCHEMA}: a newer devkit wrote it")
        try:
            given = {item.name: _typed(str(item.type), data[item.name]) for item in fields(cls) if item.name != "body"}
        except (KeyError, TypeError) as error:
            raise Unreadable(f"it is not whole: {error}") from None
        return cls(**given, body=body)


def _typed(kind: str, value: Any) -> Any:
    """The value of a field of this type, from JSON. Raises KeyError or TypeError."""
    if "Frame" in kind:
        return tuple(Frame.from_wire(one) for one in value)
    if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "bool"):
        raise TypeError(f"{value!r:.50} is not {kind}")
    if kind in ("tuple[str, ...]", "dict[str, str]"):
        items: Any = value
        for item in items if isinstance(value, list) else items.values():
            _typed("str", item)
    return tuple(value) if isinstance(value, list) else value
