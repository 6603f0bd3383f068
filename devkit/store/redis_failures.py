"""Failures in Redis: a hash for each, and indexes by time, so that no listing depends on how many results there are."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis

from ..model.failure import Failure, Unreadable
from .records import Limits, StoreError, is_wanted, read, readable

RECORD = "devkit:failure:"
FAILURES, RETRIES, SIZES, TOTAL = "devkit:failures", "devkit:retries", "devkit:failures:sizes", "devkit:failures:total"
TIMEOUT_S = 5.0
AT_ONCE = 200
# A record's key is in one of the first two indexes, and in that of sizes; the total is that of all sizes.
FORGET = """
local function forget(key)
  redis.call('DEL', ARGV[1] .. key)
  redis.call('DECRBY', KEYS[4], redis.call('ZSCORE', KEYS[3], key) or 0)
  for index = 1, 3 do redis.call('ZREM', KEYS[index], key) end
end
"""
ADD = f"""{FORGET}
local key = ARGV[2]
-- A script that has written is let beyond maxmemory: the first thing that it writes is to be the record.
if redis.call('ZSCORE', KEYS[3], key) then forget(key) end
redis.call('HSET', ARGV[1] .. key, unpack(ARGV, 7))
redis.call('EXPIRE', ARGV[1] .. key, ARGV[6])
redis.call('ZADD', KEYS[tonumber(ARGV[3])], ARGV[4], key)
redis.call('ZADD', KEYS[3], ARGV[5], key)
redis.call('INCRBY', KEYS[4], ARGV[5])
for index = 1, 4 do redis.call('EXPIRE', KEYS[index], ARGV[6]) end
"""
# What is a failure stays longer than the runs before one.
TRIM = f"""{FORGET}
for index = 1, 2 do
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[index], '-inf', ARGV[2])) do forget(key) end
  for _, key in ipairs(redis.call('ZRANGE', KEYS[index], 0, -1 - ARGV[3])) do forget(key) end
end
for index = 2, 1, -1 do
  while tonumber(redis.call('GET', KEYS[4]) or '0') > tonumber(ARGV[4]) do
    local oldest = redis.call('ZRANGE', KEYS[index], 0, 0)[1]
    if not oldest then break end
    forget(oldest)
  end
end
"""


class RedisFailures:
    """The store in the Redis at a URL, as Celery writes it."""

    unreadable = 0

    def __init__(self, url: str, limits: Limits) -> None:
        try:
            self._client = redis.Redis.from_url(
                _for_redis(url),
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                encoding_errors="surrogatepass",
            )
        except ValueError as error:
            raise StoreError(f"no address of a Redis: {error}") from None
        self.where = _without_password(url)
        self._limits = limits

    def add(self, failures: Sequence[Failure]) -> None:
        """Keep these, and let go of the oldest beyond the limits."""
        limits, keys = self._limits, (FAILURES, RETRIES, SIZES, TOTAL)
        now = max(failure.failed_at for failure in failures)
        with self._errors(), self._client.pipeline(transaction=False) as pipe:
            for failure in failures:
                meta = json.dumps(failure.to_wire(), separators=(",", ":"))
                size = len(meta) + len(failure.body or b"")
                if size <= limits.size:
                    index = 1 if failure.counts else 2
                    fields: list[str | bytes] = ["meta", meta]
                    if failure.body is not None:
                        fields += ["body", failure.body]
                    score, seconds = failure.failed_at, int(limits.seconds)
                    pipe.eval(ADD, 4, *keys, RECORD, failure.key, index, score, size, seconds, *fields)
            pipe.eval(TRIM, 4, *keys, RECORD, now - limits.seconds, limits.count, limits.size)
            pipe.execute()

    def newest(
        self, *, task: str = "", since: float = 0.0, limit: int | None = 20, bodies: bool = False
    ) -> list[Failure]:
        """Those that count, the newest first."""
        self.unreadable = 0
        found: list[Failure] = []
        start = 0
        wanted = sys.maxsize if limit is None else limit  # the worker that keeps them may have other limits
        with self._errors():
            while len(found) < wanted:
                at_once = AT_ONCE if task else min(AT_ONCE, wanted)
                keys: Any = self._client.zrevrangebyscore(FAILURES, "+inf", since, start=start, num=at_once)
                if not keys:
                    break
                start += len(keys)
                for meta, body in self._records(keys, bodies):
                    if meta is None:  # its time is over, the index's not yet
                        continue
                    try:
                        failure = read(meta, body)
                    except Unreadable:
                        self.unreadable += 1
                        continue
                    if is_wanted(failure, task):
                        found.append(failure)
        return found[:wanted]

    def ids(self, prefix: str) -> list[str]:
        """The ids that begin so, the newest first."""
        with self._errors(), self._client.pipeline(transaction=False) as pipe:
            for index in (FAILURES, RETRIES):
                pipe.zrange(index, 0, -1, desc=True, withscores=True)
            scored = sorted((pair for index in pipe.execute() for pair in index), key=lambda pair: -pair[1])
        ids = (key.decode(errors="surrogatepass").rpartition(":")[0] for key, _ in scored)
        return list(dict.fromkeys(found for found in ids if found.startswith(prefix)))

    def attempts(self, task_id: str) -> list[Failure]:
        """All runs of a task, the oldest first, with their bodies."""
        with self._errors():
            keys = []
            for index in (RETRIES, FAILURES):
                every: Any = self._client.zrange(index, 0, -1)
                keys += [key for key in every if key.decode(errors="surrogatepass").rpartition(":")[0] == task_id]
            return readable(record for record in self._records(keys, True) if record[0] is not None)

    def _records(self, keys: Sequence[bytes], bodies: bool) -> list[tuple[bytes | None, bytes | None]]:
        with self._client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hmget(RECORD.encode() + key, ["meta", "body"] if bodies else ["meta"])
            return [(one[0], one[1] if bodies else None) for one in pipe.execute()]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, OSError) as error:
            # Of a pipeline and a script, redis-py and Redis quote the whole text around what they say.
            text = str(error).rpartition(" of pipeline caused error: ")[2].partition(" script: ")[0]
            raise StoreError(text or type(error).__name__) from error


def _for_redis(url: str) -> str:
    """Celery's way to write a Redis's URL, as redis-py reads it."""
    if url.startswith("redis+socket://"):  # redis+socket:///run/redis.sock?virtual_host=2
        _, host, path, query, _ = urlsplit(url)
        options = dict(parse_qsl(query))
        if "virtual_host" in options:
            options["db"] = options.pop("virtual_host").strip("/")
        return f"unix://{host}{path}?{urlencode(options)}"
    return re.sub(r"(?<=ssl_cert_reqs=)(CERT_)?\w+", lambda found: found[0].removeprefix("CERT_").lower(), url)


def _without_password(url: str) -> str:
    scheme, host, path, _, _ = urlsplit(url)
    return f"{scheme}://{host.rpartition('@')[2]}{path}"
