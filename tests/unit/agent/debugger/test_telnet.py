"""What bytes mean, however they arrive."""

import json
from typing import Any

import pytest

from devkit.agent.debugger import telnet
from devkit.agent.debugger.telnet import Parser
from tests.unit.agent.debugger.far_end import message

Pieces = list[tuple[str, Any]]


def understood(*chunks: bytes, parser: Parser | None = None) -> Pieces:
    """What was received; texts that follow each other are joined, since it does not matter how text is cut."""
    parser = parser or Parser()
    pieces: Pieces = []
    for chunk in chunks:
        for received in parser.feed(chunk):
            if received.kind == "text" and pieces and pieces[-1][0] == "text":
                pieces.append(("text", pieces.pop()[1] + received.data))
            else:
                pieces.append((received.kind, received.data))
    return pieces


STREAM = (
    b"one\r\n"
    + message("hello", token="t", columns=120)  # noqa: S106 - it opens nothing
    + "zwei ü €\r\0".encode()
    + b"\xff\xfb\x01"  # it will echo
    + b"\xff\xf4"  # Ctrl-C
    + b"\xff\xfd\x06"  # and asks for a mark
    + b"three\xff\xff"
    + b"\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0"  # a window of 255 columns, which is another option
    + message("complete", id=7, text="p ÿ.")
    + b"\xff\xec"  # Ctrl-D
    + b"\xff\xf1"  # nothing
    + b"end"
)
PIECES: Pieces = [
    ("text", b"one\r\n"),
    ("hello", {"token": "t", "columns": 120}),
    ("text", "zwei ü €\r\0".encode()),
    ("reply", b"\xff\xfe\x01"),
    ("interrupt", None),
    ("reply", b"\xff\xfb\x06"),
    ("text", b"three\xff"),
    ("complete", {"id": 7, "text": "p ÿ."}),
    ("eof", None),
    ("text", b"end"),
]


def test_a_stream_of_everything() -> None:
    assert understood(STREAM) == PIECES


def test_it_may_be_cut_anywhere() -> None:
    for at in range(1, len(STREAM)):
        assert understood(STREAM[:at], STREAM[at:]) == PIECES, at


def test_it_may_come_byte_by_byte() -> None:
    assert understood(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == PIECES


@pytest.mark.parametrize(("byte", "kind"), [(243, "interrupt"), (244, "interrupt"), (237, "interrupt"),
                                            (238, "interrupt"), (236, "eof")])  # fmt: skip
def test_keys_that_telnet_has_commands_for(byte: int, kind: str) -> None:
    assert understood(b"a", bytes((255, byte)), b"b") == [("text", b"a"), (kind, None), ("text", b"b")]


@pytest.mark.parametrize("byte", [0, 10, 65, 127, 239, 240, 241, 242, 245, 246, 247, 248, 249])
def test_other_commands_are_passed_over(byte: int) -> None:
    assert understood(b"a" + bytes((255, byte)) + b"b") == [("text", b"ab")]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (b"\xff\xfd\xc9", b"\xff\xfb\xc9"),  # GMCP: do, will
        (b"\xff\xfb\xc9", b"\xff\xfd\xc9"),
        (b"\xff\xfd\x01", b"\xff\xfc\x01"),  # anything else: do not, will not
        (b"\xff\xfb\x01", b"\xff\xfe\x01"),
        (b"\xff\xfd\xff", b"\xff\xfc\xff"),
        (b"\xff\xfc\x01", b""),  # what is refused is refused
        (b"\xff\xfe\x01", b""),
        (b"\xff\xfe\xc9", b""),
    ],
)
def test_negotiation(asked: bytes, answered: bytes) -> None:
    parser = Parser()

    assert understood(asked, parser=parser) == ([("reply", answered)] if answered else [])
    assert understood(asked * 3, parser=parser) == [], "who is told again and again would answer again and again"


def test_a_client_that_answers_each_answer_with_a_question_gets_no_loop() -> None:
    ours, theirs = Parser(), Parser()
    said = bytes(byte for option in range(256) for verb in (251, 252, 253, 254) for byte in (255, verb, option))
    rounds = 0
    while said and rounds < 10:
        heard = b"".join(received.data for received in ours.feed(said) if received.kind == "reply")
        said = b"".join(received.data for received in theirs.feed(heard) if received.kind == "reply")
        rounds += 1

    assert not said


def test_a_mark_is_set_each_time() -> None:
    """telnet drops what it gets after a Ctrl-C until the mark comes: without a second one it would stay silent."""
    assert understood(b"\xff\xfd\x06" * 2) == [("reply", b"\xff\xfb\x06")] * 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc9",
        b"\xc9devkit.command {",
        b'\xc9devkit.command {"text": "p x"',
        b'\xc9devkit.command "p x"',
        b"\xc9devkit.command []",
        b"\xc9devkit.command null",
        b"\xc9devkit.command {} {}",
        b'\xc9other.command {"text": "p x"}',
        b'\xc9command {"text": "p x"}',
        b'\x18devkit.command {"text": "p x"}',
        b"\xc9devkit.command \xfe\x80{}",
        b"\xc9devkit.command " + b"[" * 100_000,
        b'\xc9devkit.command {"n": ' + b"9" * 10_000 + b"}",
        b"\xc9devkit.command {\xff\xff}",
        b"\xc9" + b"x" * (telnet.LONGEST_MESSAGE + 10),
    ],
)
def test_what_is_no_message_is_passed_over(data: bytes) -> None:
    around = b"a" + b"\xff\xfa" + data + b"\xff\xf0" + b"b" + message("eof")

    assert understood(around) == [("text", b"ab"), ("eof", {})]


def test_of_a_message_without_an_end_only_so_much_is_kept() -> None:
    parser = Parser()
    parser.feed(b"\xff\xfa\xc9devkit.command ")
    for _ in range(40):
        assert parser.feed(b"x" * 100_000) == []

    assert len(parser._message) <= telnet.LONGEST_MESSAGE
    assert understood(b"\xff\xf0a" + message("eof"), parser=parser) == [("text", b"a"), ("eof", {})]


def test_a_long_message_is_whole() -> None:
    text = "ÿ€\n" * 100_000

    assert understood(message("command", text=text)) == [("command", {"text": text})]


@pytest.mark.parametrize("data", [b"devkit.eof", b"devkit.eof ", b"devkit.eof {}", b"devkit.\xff\xf1eof\xff\xf4 {}"])
def test_a_message_may_come_without_fields_and_with_telnet_commands_in_it(data: bytes) -> None:
    assert understood(b"\xff\xfa\xc9" + data + b"\xff\xf0") == [("eof", {})]


def test_255_in_a_message_is_doubled() -> None:
    """No UTF-8 has it; other ways to write text may."""
    sent = b'\xff\xfa\xc9devkit.command {"text": "\xff\xff\xff\xffx"}\xff\xf0'
    ((kind, data),) = understood(sent)

    assert (kind, data) == ("command", {"text": "\N{REPLACEMENT CHARACTER}" * 2 + "x"})


@pytest.mark.parametrize("kind", ["text", "reply", "interrupt", "", "attached"])
def test_a_message_is_never_taken_for_something_else(kind: str) -> None:
    """`reply` would be sent back as it is."""
    assert understood(message(kind, x=1)) == []


def test_what_is_sent_needs_no_escaping() -> None:
    sent = telnet.message("completions", id=1, matches=["ÿ", "\udcff", "\0", "\n"])

    assert sent.startswith(b"\xff\xfa\xc9devkit.completions {")
    assert sent.endswith(b"}\xff\xf0")
    assert b"\xff" not in sent[1:-2]
    assert json.loads(sent[len(b"\xff\xfa\xc9devkit.completions ") : -2])["matches"] == ["ÿ", "\udcff", "\0", "\n"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a\nb\n", b"a\r\nb\r\n"),
        ("a\r\nb\n\n", b"a\r\nb\r\n\r\n"),
        ("50%\r100%\n", b"50%\r100%\r\n"),
        ("ÿ\udcff", b"\xc3\xbf?"),
        ("", b""),
    ],
)
def test_text_as_it_is_sent(text: str, sent: bytes) -> None:
    assert telnet.text(text) == sent
