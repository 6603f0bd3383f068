"""Saved cases: what is written is what is read, without what is secret, and bad files say what they are."""

import json
import os
import pickle
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from kombu.utils.json import dumps as kombu_dumps
from kombu.utils.json import loads as kombu_loads

from devkit.errors import UsageError
from devkit.model.failure import Failure, Unreadable
from devkit.replay.case import load, masked_names, save
from tests.unit.replay.failures import ID, failure, frame

SECRET = "hunter2-is-long"  # noqa: S105 - it opens nothing


def parts(found: Failure) -> Any:
    assert found.body is not None
    return json.loads(found.body)


def round_trip(given: Failure, folder: Path, *, with_secrets: bool = True) -> Failure:
    save(given, folder / "case.json", with_secrets=with_secrets)
    return load(folder / "case.json")


def test_a_case_is_the_failure_again(tmp_path: Path) -> None:
    given = failure([1, 2.5, None, True], {"é": "ü", "": []}, "a\nb\x1b[31m\x9b\u202e", kwargs={"password": SECRET})

    found = round_trip(given, tmp_path)

    assert parts(found) == json.loads(given.body or b"")
    assert replace(found, body=None) == replace(given, body=None, source="file")


@pytest.mark.parametrize("masks", [True, False])
def test_without_secrets_nothing_changes(tmp_path: Path, masks: bool) -> None:
    given = failure()

    assert save(given, tmp_path / "case.json", with_secrets=not masks) == ()
    found = load(tmp_path / "case.json")
    assert parts(found) == json.loads(given.body or b"")
    assert replace(found, body=None) == replace(given, body=None, source="file")


def test_a_case_is_for_people(tmp_path: Path) -> None:
    save(failure([1, 2, 3], "größer \x1b\x9b", kwargs={"to": "x" * 90}), tmp_path / "case.json", with_secrets=False)

    text = (tmp_path / "case.json").read_text()
    assert text.startswith('{\n  "devkit_case": 1,\n  "task": "shop.tasks.divide",\n')
    assert '  "args": [[1, 2, 3], "größer \\u001b\\u009b"],\n' in text
    assert '    "Traceback (most recent call last):",\n' in text
    assert text.endswith("}\n")
    assert (tmp_path / "case.json").stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_values_as_kombu_writes_them_stay(tmp_path: Path) -> None:
    args = [datetime(2024, 1, 2, 3, 4, tzinfo=UTC), date(2024, 1, 2), Decimal("2.50"), UUID(ID), b"abc", b"\xff\x00"]
    body = kombu_dumps([args, {"nested": {"at": args[0]}}, {}]).encode()  # type: ignore[no-untyped-call]

    found = round_trip(failure(body=body), tmp_path, with_secrets=False)

    assert kombu_loads(found.body) == [args, {"nested": {"at": args[0]}}, {}]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("body", "same"),
    [
        (b'[[NaN, Infinity, -Infinity, 1e400, 0.1, -0.0, 123456789012345678901234567890], {}, {}]', None),
        (b'[["\\ud800 \\ud83d\\ude00 \\u2028\\u0000"], {"\\udfff": 1}, {}]', None),
        (b'[[{"a": 1, "a": 2}], {}, {}]', b'[[{"a": 2}], {}, {}]'),
        (b"[[" + b"[" * 200 + b"]" * 200 + b"], {}, {}]", None),
        (b'[[' + b", ".join(b"[%d]" % number for number in range(3000)) + b'], {}, {}]', None),
    ],
    ids=["numbers", "surrogates", "duplicate keys", "deep", "many"],
)  # fmt: skip
@pytest.mark.parametrize("with_secrets", [True, False])
def test_odd_json(tmp_path: Path, body: bytes, same: bytes | None, with_secrets: bool) -> None:
    found = round_trip(failure(body=body), tmp_path, with_secrets=with_secrets)

    assert repr(parts(found)) == repr(json.loads(same or body))  # NaN is not itself


@pytest.mark.parametrize(
    "body",
    [
        b"no JSON", b"\xff\xfe", b'{"task": "x", "args": []}', b"[[1], {}]", b"[[" + b"9" * 5000 + b"], {}, {}]",
        b"[[" + b"[" * 5000 + b"]" * 5000 + b"], {}, {}]",
    ],
)  # fmt: skip
def test_a_body_that_nothing_can_be_masked_in(tmp_path: Path, body: bytes) -> None:
    given = failure(body=body)

    with pytest.raises(UsageError, match="nothing can be masked"):
        save(given, tmp_path / "case.json", with_secrets=False)
    assert list(tmp_path.iterdir()) == []
    assert round_trip(given, tmp_path).body == body


@pytest.mark.parametrize("with_secrets", [True, False])
def test_arguments_nested_deeper_than_anyone_reads(tmp_path: Path, with_secrets: bool) -> None:
    def saved(depth: int) -> bool:
        given = failure(body=b"[[" + b"[" * depth + b"]" * depth + b"], {}, {}]")
        try:
            return round_trip(given, tmp_path, with_secrets=with_secrets).body == given.body
        except (UsageError, Unreadable):  # and no RecursionError
            return False

    assert all(map(saved, range(10, 300, 50)))
    for depth in range(300, 1000, 10):
        saved(depth)


def test_a_pickle_is_kept_as_it_is(tmp_path: Path) -> None:
    body = pickle.dumps([[1], {}, {}])
    found = round_trip(failure(body=body, content_type="application/x-python-serialize", content_encoding="binary"),
                       tmp_path)  # fmt: skip

    assert (found.body, found.content_type, found.content_encoding) == (
        body, "application/x-python-serialize", "binary",
    )  # fmt: skip


def test_nothing_is_masked_where_nothing_was_kept(tmp_path: Path) -> None:
    given = failure(body=None, missing="no record of it is there")

    found = round_trip(given, tmp_path, with_secrets=False)

    assert (found.body, found.missing) == (None, given.missing)


def test_secrets_are_masked_by_name_and_wherever_else_they_show(tmp_path: Path) -> None:
    given = failure(
        "me", SECRET, {"rows": [{"api_key": "k-1234"}, {"api_key": "k-5678"}]}, f"see k-1234 at x?q={SECRET}",
        kwargs={"token": {"value": "t-0000", "uses": 12345}, "credentials": None, "url": "amqp://me:p%40w@host:5672//"},
        embed={"chain": [{"task": "t", "kwargs": {"db_password": "db-secret"}, "args": ["db-secret"]}]},
        names=("user", "password", "options", "note"),
        headers={"id": ID, "task": "shop.tasks.divide", "argsrepr": f"('me', '{SECRET}')", "kwargsrepr": "{}",
                 "authorization": "Bearer b-9999", "why": f"because {SECRET}"},
        message=f"no {SECRET} for t-0000, 12345 or 9123456, at redis://:k-5678x@host",
        traceback=f"x\n  b-9999 {SECRET}\n",
        call=f"'{SECRET}'",
        frames=(frame(source=f"f('{SECRET}')", locals={"password": "'cut…'", "x": f"'{SECRET}'"}),),
    )  # fmt: skip

    names = save(given, tmp_path / "case.json", with_secrets=False)

    text = (tmp_path / "case.json").read_text()
    for secret in (SECRET, "k-1234", "k-5678", "t-0000", "b-9999", "db-secret", "p%40w", "cut…", " 12345"):
        assert secret not in text, secret
    assert names == (
        "headers.authorization", "password", "options.rows[].api_key", "token", "embed.chain[].kwargs.db_password",
        "headers.why", "note", "url", "embed.chain[].args[]",
    )  # fmt: skip
    found = load(tmp_path / "case.json")
    args, kwargs, _ = parts(found)
    assert args == ["me", "***", {"rows": [{"api_key": "***"}] * 2}, "see *** at x?q=***"]
    assert kwargs == {"token": "***", "credentials": None, "url": "amqp://me:***@host:5672//"}
    assert found.message == "no *** for ***, *** or 9123456, at redis://:***@host"
    assert found.headers == {"id": ID, "task": "shop.tasks.divide", "authorization": "***", "why": "because ***"}
    assert masked_names(found) == ", ".join(names)
    assert round_trip(found, tmp_path, with_secrets=False) == found


def test_what_the_case_needs_to_be_one_stays(tmp_path: Path) -> None:
    """Even where a secret is a word like any other."""
    given = failure(kwargs={"password": "json", "token": "divide", "secret": "FAILURE", "api_key": ID})

    save(given, tmp_path / "case.json", with_secrets=False)

    found = load(tmp_path / "case.json")
    assert (found.id, found.task, found.state, found.content_type) == (
        ID, "shop.tasks.divide", "FAILURE", "application/json",
    )  # fmt: skip
    assert (found.headers["id"], found.headers["task"], found.frames) == (ID, "shop.tasks.divide", given.frames)
    assert set(parts(found)[1]) == {"password", "token", "secret", "api_key"}


def test_what_is_left_of_a_long_secret_cut_in_the_middle(tmp_path: Path) -> None:
    secret = "".join(f"{number:03}-" for number in range(300)) + '"\n'
    short = repr(secret)[:58] + "..." + repr(secret)[-59:]
    given = failure(kwargs={"token": secret}, frames=(frame(locals={"it": short}),), message=f"bad: {secret!r}")

    found = round_trip(given, tmp_path, with_secrets=False)

    assert found.message == "bad: '***'"
    left = found.frames[0].locals["it"]
    assert len(left) < 40, left


@pytest.mark.parametrize("with_secrets", [True, False])
def test_no_password_of_a_url_is_in_the_texts(tmp_path: Path, with_secrets: bool) -> None:
    given = failure(message="no redis://:s3cret@host", traceback="amqp://me:s3cret@host\n")

    save(given, tmp_path / "case.json", with_secrets=with_secrets)

    assert "s3cret" not in (tmp_path / "case.json").read_text()


def test_many_secrets_take_no_hour(tmp_path: Path) -> None:
    rows = [{"token": f"token-{number:06}", "note": "x" * 20} for number in range(20_000)]

    with pytest.raises(UsageError, match="too many to look for"):
        save(failure(rows), tmp_path / "case.json", with_secrets=False)


@pytest.mark.parametrize("args", [["x" * 50_000_000], [{"rows": [[0.5]] * 200_000}]], ids=["text", "rows"])
def test_a_large_case(tmp_path: Path, args: list[Any]) -> None:
    given = failure(*args, kwargs={"password": SECRET})
    start = time.monotonic()

    found = round_trip(given, tmp_path, with_secrets=False)

    assert parts(found)[0] == args
    assert time.monotonic() - start < 20


def test_a_case_replaces_one_of_the_same_task(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "case.json")
    save(failure(), tmp_path / "case.json", with_secrets=False)

    save(failure(message="another"), link, with_secrets=False)

    assert link.is_symlink()
    assert load(tmp_path / "case.json").message == "another"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("there", ["", "a letter", '{"a": 1}', '{"devkit_case": 1, "id": "another"}', "[]"])
def test_no_other_file_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / "case.json").write_text(there)

    with pytest.raises(UsageError, match="there already"):
        save(failure(), tmp_path / "case.json", with_secrets=False)

    assert (tmp_path / "case.json").read_text() == there


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no folder .*none for case\.json"):
        save(failure(), tmp_path / "none" / "case.json", with_secrets=False)
    with pytest.raises(UsageError, match="no ordinary file"):
        save(failure(), tmp_path, with_secrets=False)
    with pytest.raises(UsageError, match="no file"):
        load(tmp_path / "none.json")
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path)


def changed(**changes: Any) -> str:
    """A case with other values."""
    case = {"devkit_case": 1, "args": [1], "kwargs": {}, "embed": {}, **failure().to_wire(), "traceback": ["x"]}
    return json.dumps({**case, **changes})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("\n \n", "it is empty"),
        ('{\n"devkit_case": 1,\n"task": "x', "cut short: it ends in line 3"),
        ('{\n"devkit_case": 1,\n"args": [1,', "cut short: it ends in line 3"),
        ('{\n"devkit_case" 1}', "no JSON: line 2, column 15"),
        ("[" * 100_000, "more than JSON can be read"),
        ('{"devkit_case": ' + "9" * 5000 + "}", "more than JSON can be read"),
        ("[]", "no saved case"),
        ('{"id": 1}', "no saved case"),
        ('{"devkit_case": true}', "no saved case"),
        ('{"devkit_case": 2}', "version 2: a newer devkit wrote it"),
        ('{"devkit_case": 1}', "not whole"),
        (changed(args={}), "args is to be a list"),
        (changed(kwargs=None), "kwargs and embed are to be objects"),
        (changed(traceback="x"), "traceback is no list"),
        (changed(traceback=[1]), "traceback is no list"),
        (changed(retries="1"), "is not int"),
        (changed(frames=[{}]), "not whole"),
        (changed(frames=["x"]), "not whole"),
        (changed(frames=None), "not whole"),
        (changed(failed_at=float("nan")), "times are none"),
        (changed(started_at=1e300), "times are none"),
    ],
)
def test_a_file_that_is_no_whole_case(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "case.json").write_text(text)

    with pytest.raises(Unreadable, match=says):
        load(tmp_path / "case.json")


@pytest.mark.parametrize("body", ["?", "AAA", 1, None, "ä"])
def test_a_body_that_is_no_base64(tmp_path: Path, body: Any) -> None:
    case = json.loads(changed(body=body))
    del case["args"]
    (tmp_path / "case.json").write_text(json.dumps(case))

    with pytest.raises(Unreadable, match="no base64"):
        load(tmp_path / "case.json")


def test_a_binary_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_bytes(b"\x80\x81\xff")

    with pytest.raises(Unreadable, match="no text"):
        load(tmp_path / "case.json")


def test_arguments_may_be_edited_by_hand(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text("\ufeff" + changed(args=["é"]).replace("\n", "\r\n"))

    found = load(tmp_path / "case.json")

    assert parts(found)[0] == ["é"]
    assert (found.content_type, found.source) == ("application/json", "file")
