"""Words for people."""

import signal

import pytest
from billiard.common import human_status

from devkit.model.text import (
    ODD,
    cells,
    cut,
    exit_in_words,
    is_named,
    one_line,
    printable,
    short_path,
    ways_to_name,
    worker_lost,
)

HOSTILE = [
    *map(chr, [*range(0x20), *range(0x7F, 0xA0)]),  # C0, DEL, C1
    *"\u2028\u2029\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    "\ud800",
    "\udfff",
]

# Of others that have several names, or the number of something else, billiard takes the last of the alphabet.
ENDING = [-signal.SIGKILL, -signal.SIGTERM, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGXCPU]


@pytest.mark.parametrize("char", HOSTILE, ids=ascii)
def test_what_a_terminal_may_obey_is_written_out(char: str) -> None:
    shown = printable(f"a{char}b")

    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) > len("a?b")


@pytest.mark.parametrize("char", [char for char in HOSTILE if char >= "\x7f"], ids=ascii)
def test_what_is_odd_beyond_ascii(char: str) -> None:
    assert ODD.sub("", f"a{char}é") == "aé"


def test_it_is_written_as_python_writes_it() -> None:
    assert printable("\x1b[2J \x9b \u202e \ud800 \0 \r\n") == "\\x1b[2J \\x9b \\u202e \\ud800 \\x00 \\r\\n"


@pytest.mark.parametrize("text", ["", "plain", "größer 日本語 🙂", "C:\\new 'quoted' \"too\""])
def test_what_can_be_read_stays(text: str) -> None:
    assert printable(text) == text


def test_it_does_not_change_again() -> None:
    once = printable("a\x1b\\n'\"")

    assert printable(once) == once


def test_lines_may_stay() -> None:
    assert printable("a\n\tb\r\x1b", lines=True) == "a\n\tb\\r\\x1b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("  one\n two\t\x0bthree ", "one two three"),
        ("\x1b]0;t\x07", "\\x1b]0;t\\x07"),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 19 + "…"),
        ("日" * 11, "日" * 9 + "…"),
        pytest.param("x" * 50_000_000, "x" * 19 + "…", id="huge"),
    ],
)
def test_on_one_line(text: str, shown: str) -> None:
    assert one_line(text, 20) == shown


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("abc", 3), ("é", 1), ("e\u0301", 1), ("日本", 4), ("🙂", 2), ("☁\ufe0f", 1)]
)
def test_how_wide_a_text_is(text: str, count: int) -> None:
    assert cells(text) == count


@pytest.mark.parametrize("width", range(1, 12))
@pytest.mark.parametrize("text", ["abcdefghij", "日本語日本語", "a日b本c語d", "e\u0301" * 20])
def test_cut_it_fits_and_no_room_is_wasted(text: str, width: int) -> None:
    shown = cut(text, width)

    assert cells(shown) <= width
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]) and cells(shown) >= width - 1)


def test_a_path_is_short_where_it_is_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.chdir(str(tmp_path))

    assert short_path(f"{tmp_path}/a/b.py") == "a/b.py"
    assert short_path(f"{tmp_path}x/b.py") == f"{tmp_path}x/b.py"
    monkeypatch.chdir("/")
    assert short_path("/a/b.py") == "a/b.py"


@pytest.mark.parametrize(
    ("name", "word", "is_so"),
    [
        ("shop.tasks.total", "shop.tasks.total", True),
        ("shop.tasks.total", "tasks.total", True),
        ("shop.tasks.total", "total", True),
        ("shop.tasks.total", "otal", False),
        ("shop.tasks.total", "shop.tasks", False),
        ("shop.tasks.total", "s.total", False),
        ("shop.tasks.total", "", False),
        ("total", "shop.total", False),
        ("high_priority:greet", "greet", True),
        ("shop/mails:greet", "mails:greet", True),
        ("send greeting", "greeting", True),
        ("high_priority:greet", "priority:greet", False),
        ("send-greeting", "greeting", False),
        ("", "total", False),
    ],
)
def test_a_name_by_its_end(name: str, word: str, is_so: bool) -> None:
    assert is_named(name, word) is is_so


def test_what_may_be_typed_for_a_name() -> None:
    names = ["shop.total", "add", "mails:greet"]
    assert ways_to_name(name for name in names) == ["total", "add", "greet", *names]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (3, "ended with exit code 3"),
        (137, "ended with exit code 137"),
        (-9, "was killed by SIGKILL"),
        (-11, "was killed by SIGSEGV"),
        (-99, "ended with exit code -99"),
    ],
)
def test_exit_codes_in_words(code: int, words: str) -> None:
    assert exit_in_words(code) == words


@pytest.mark.parametrize("code", [0, 1, 70, 155, 255, *ENDING, -99])
def test_a_lost_worker_in_the_words_of_celery(code: int) -> None:
    assert worker_lost(code) == f"Worker exited prematurely: {human_status(code)}."
