"""Env files: what they set, and in which line."""

import pytest

from devkit.settings.evidence.variables import Variable, file_values, file_variables
from tests.unit.settings.apps import Write


def test_each_variable_knows_its_line(project: Write) -> None:
    text = "# one\n\nA=1\nexport B = 'two words'  # said\n\n\nC=\"${A}/$D\"\nE=\nF\nA=3\nLONG=\"a\nb\"\nG='$A'\n"
    file = project({".env": text}) / ".env"

    assert file_variables(file) == (
        Variable("A", "3", file, 10),
        Variable("B", "two words", file, 4),
        Variable("C", "1/", file, 7, unset=("D",)),
        Variable("E", "", file, 8),
        Variable("LONG", "a\nb", file, 11),
        Variable("G", "$A", file, 13),
    )


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"=\n==\n'\"\n", b"A='unclosed\nB=2", b"\x00\x01"])
def test_what_is_no_env_file_says_little(project: Write, text: bytes) -> None:
    root = project({".env": text})

    assert set(file_values(root / ".env")) <= {"A", "B"}
    assert file_values(root) == file_values(root / "gone") == {}


def test_a_file_of_another_system(project: Write) -> None:
    assert file_values(project({".env": b"\xef\xbb\xbfA=1\r\nB=2\r\n"}) / ".env") == {"A": "1", "B": "2"}
