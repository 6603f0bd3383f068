"""The failed tasks in a Celery result backend, read without changing it, and without running what it holds.

Celery's own way to read a result makes the exception anew, from whatever class the result names; a database's creates
missing tables first, and older ones unpickle the result. So only what is stored is read here, and only decoded.
"""

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from itertools import islice
from typing import Any

from ..app.asking import result_backend_error
from ..app.load import Problem
from .meta import PICKLED, UNREADABLE

CHUNK = 1000
CAN_LIST = ["Redis", "a database (SQLAlchemy)", "the file system"]
# These write a word's letters as they are: a result without the word need not be decoded.
_PLAIN = ("json", "yaml", "msgpack", "pickle")
_COMPRESSED = b"\x00celery-compressed"
_PICKLE = ("pickle", "application/x-python-serialize")

Meta = dict[str, Any]
Progress = Callable[[int, "int | None"], None]


class BackendReader:
    """Reads one backend; `read` and `unreadable` say of how many results, and how many of these said nothing."""

    newest_first = False

    def __init__(self, backend: Any, allow_pickle: bool, progress: Progress) -> None:
        self.backend = backend
        self.pickled = backend.serializer in _PICKLE or backend.content_type in _PICKLE
        self.allow_pickle = allow_pickle
        self.read = self.unreadable = 0
        self._progress = progress

    @property
    def where(self) -> str:
        """The backend, for people: without a password."""
        return str(self.backend.as_uri())

    def failed(self, prefix: str = "") -> Iterator[Meta]:
        """What is stored of each failed task whose id begins so."""
        raise NotImplementedError

    def one(self, task_id: str) -> "Meta | None":
        """What is stored of this task, if it failed."""
        raise NotImplementedError


class KeyValues(BackendReader):
    """A backend that keeps each result whole, under the task's id; those that can list their keys do it below."""

    def __init__(self, backend: Any, allow_pickle: bool, progress: Progress) -> None:
        super().__init__(backend, allow_pickle, progress)
        if self.pickled and not allow_pickle:
            raise Problem("pickled", url=self.where)
        self._prefix: bytes = _bytes(backend.task_keyprefix)

    def one(self, task_id: str) -> "Meta | None":
        value = self.backend.get(self.backend.get_key_for_task(task_id))
        return self._meta(task_id, value) if value else None

    def failed(self, prefix: str = "") -> Iterator[Meta]:
        keys, of = self._keys(self._prefix + prefix.encode()), self._count()
        plain = self.backend.serializer in _PLAIN
        while chunk := list(islice(keys, CHUNK)):
            for key, value in zip(chunk, self.backend.mget(chunk), strict=True):
                if not value:
                    continue
                data = _bytes(value)
                if plain and b"FAILURE" not in data and not data.startswith(_COMPRESSED):
                    continue
                meta = self._meta(_bytes(key)[len(self._prefix) :].decode(errors="replace"), data)
                if meta:
                    yield meta
            self.read += len(chunk)
            self._progress(self.read, of)

    def _meta(self, task_id: str, value: "bytes | str") -> "Meta | None":
        """What a result says, if it is one of a failure."""
        try:
            meta = self.backend.decode(value)
            status = meta["status"]
        except Exception:
            self.unreadable += 1
            return None
        return {**meta, "task_id": task_id} if status == "FAILURE" else None

    def _keys(self, prefix: bytes) -> Iterator[bytes]:  # noqa: ARG002 - only some can look for one
        raise Problem("cannot list", backend=type(self.backend).__name__, url=self.where, can=CAN_LIST)

    def _count(self) -> "int | None":
        return None


class Redis(KeyValues):
    """Redis, where keys are found by going through all of them, a piece at a time."""

    def _keys(self, prefix: bytes) -> Iterator[bytes]:
        pattern = b"".join(b"\\" + char if char in b"*?[]^\\" else char for char in _characters(prefix)) + b"*"
        yield from self.backend.client.scan_iter(match=pattern, count=CHUNK)

    def _count(self) -> "int | None":
        return int(self.backend.client.dbsize())


class Files(KeyValues):
    """A folder with a file for each result."""

    def _keys(self, prefix: bytes) -> Iterator[bytes]:
        with os.scandir(self.backend.path) as entries:
            for entry in entries:
                if entry.name.startswith(prefix):
                    yield entry.name


class Database(BackendReader):
    """A database, through the backend's own engine and table, whatever columns that has."""

    newest_first = True
    _TEXTS = ("task_id", "status", "traceback", "name", "worker", "queue")
    _BLOBS = ("result", "args", "kwargs", "stamps")

    def one(self, task_id: str) -> "Meta | None":
        return next(self._rows(lambda table: table.c.task_id == task_id), None)

    def failed(self, prefix: str = "") -> Iterator[Meta]:
        for meta in self._rows(lambda table: table.c.task_id.startswith(prefix, autoescape=True)):
            if meta["task_id"].startswith(prefix):  # some databases do not tell upper case from lower
                yield meta
            self.read += 1
            self._progress(self.read, None)

    def _rows(self, which: "Callable[[Any], Any]") -> Iterator[Meta]:
        import sqlalchemy as sa
        from celery.backends.database.session import SessionManager

        # Before 5.5, Celery makes one whenever it needs it.
        sessions = getattr(self.backend, "session_manager", None) or SessionManager()
        engine = sessions.get_engine(self.backend.url, **self.backend.engine_options)
        model = self.backend.task_cls.__table__
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            if not inspector.has_table(model.name, schema=model.schema):
                return
            there = {column["name"] for column in inspector.get_columns(model.name, schema=model.schema)}
            # The result as bytes: Celery's own type for it, before 5.7, unpickles.
            types = {
                **dict.fromkeys(self._TEXTS, sa.Text),
                **dict.fromkeys(self._BLOBS, sa.LargeBinary),
                "date_done": sa.DateTime,
                "retries": sa.Integer,
            }
            columns = [sa.column(name, kind()) for name, kind in types.items() if name in there]
            table = sa.table(model.name, *columns, schema=model.schema)
            query = sa.select(table).where(table.c.status == "FAILURE", which(table)).order_by(sa.desc("date_done"))
            for row in connection.execution_options(stream_results=True).execute(query):
                yield self._meta(row._asdict())

    def _meta(self, row: Meta) -> Meta:
        result = self._decoded(row.get("result"), may_be_pickle=True)
        meta = {**row, "result": result, "date_done": self._aware(row.get("date_done"))}
        if not row.get("name") and not row.get("worker") and row.get("args") is None:
            meta = {key: value for key, value in meta.items() if key not in ("name", "worker", "args", "kwargs")}
        else:
            meta |= {key: self._decoded(row[key]) for key in ("args", "kwargs") if row.get(key) is not None}
        stamps = self._decoded(meta.pop("stamps", None))
        if isinstance(stamps, dict) and isinstance(stamps.get("stamps"), dict):
            meta = {**stamps["stamps"], **meta, "stamped_headers": stamps.get("stamped_headers")}
        return meta

    def _aware(self, done: "datetime | None") -> "datetime | None":
        """Celery stores its own now(), which was UTC before 5.5; the time zone is lost in the column."""
        import celery

        zone = self.backend.app.timezone if celery.VERSION >= (5, 5) else timezone.utc  # noqa: UP017 - Python 3.10 has no UTC
        return done if done is None or done.tzinfo else done.replace(tzinfo=zone)

    def _decoded(self, value: "bytes | None", may_be_pickle: bool = False) -> Any:
        """A column's value; PICKLED or UNREADABLE where it cannot be had."""
        if value is None:
            return None
        pickled = self.pickled or (may_be_pickle and value.startswith(b"\x80"))
        if pickled and not self.allow_pickle:
            return PICKLED
        try:
            if pickled and not self.pickled:
                import pickle

                return pickle.loads(value)  # noqa: S301 - asked for
            return self.backend.decode(value)
        except Exception:
            return UNREADABLE


def reader_for(app: Any, allow_pickle: bool, progress: Progress) -> BackendReader:
    """For the app's result backend. Raises Problem."""
    from celery.backends.base import BaseKeyValueStoreBackend, DisabledBackend
    from celery.backends.filesystem import FilesystemBackend
    from celery.backends.redis import RedisBackend

    # Reading is no time for making tables.
    app.conf.database_create_tables_at_setup = False
    try:
        backend = app.backend
        if isinstance(backend, DisabledBackend):
            raise Problem("no result backend")
        message = result_backend_error(app)
    except Problem:
        raise
    except Exception as error:
        raise down(app, error) from error
    if message:
        raise down(app, message)
    if isinstance(backend, RedisBackend):
        return Redis(backend, allow_pickle, progress)
    if isinstance(backend, FilesystemBackend):
        return Files(backend, allow_pickle, progress)
    if isinstance(backend, BaseKeyValueStoreBackend):
        return KeyValues(backend, allow_pickle, progress)
    if hasattr(backend, "ResultSession") and hasattr(backend, "task_cls"):
        return Database(backend, allow_pickle, progress)
    raise Problem("cannot list", backend=type(backend).__name__, url=str(backend.as_uri()), can=CAN_LIST)


def down(app: Any, error: "Exception | str") -> Problem:
    """The backend's error, as one that devkit's side words."""
    from kombu.utils.url import maybe_sanitize_url

    url = maybe_sanitize_url(str(app.conf.result_backend))
    return Problem("backend down", url=url, message=str(error) or type(error).__name__)


def _bytes(value: "bytes | str") -> bytes:
    return value.encode() if isinstance(value, str) else value


def _characters(value: bytes) -> "list[bytes]":
    return [value[at : at + 1] for at in range(len(value))]
