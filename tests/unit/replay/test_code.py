"""Code as a formatter would lay it out: `ruff format` finds nothing to change."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devkit.replay.code import laid_out, quoted

RUFF = Path(sys.executable).with_name("ruff")


def value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(11 if depth < 4 else 7)
    some = range(chance.randrange(6))
    match kind:
        case 0 | 1 | 2:
            return "".join(chance.choices("ab'\"\\\n é語\x00\u2028", k=chance.choice([0, 3, 9, 30, 70])))
        case 3:
            return chance.choice([True, None, b"a'\"\xff", b"", 1j])
        case 4:
            return chance.choice([1e16, 1e300, -1.5e-7, 0.1, -0.0])
        case 5 | 6:
            return chance.choice([0, -1, 10**20, 12345])
        case 7:
            return [value(chance, depth + 1) for _ in some]
        case 8:
            return tuple(value(chance, depth + 1) for _ in some)
        case 9:
            return {chance.randrange(10**9) for _ in some}
    return {chance.choice(["aa", "key " * 10, 7]): value(chance, depth + 1) for _ in some}


def formatted(source: str) -> str:
    command = [str(RUFF), "format", "--isolated", "--line-length", "88", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def test_what_a_formatter_makes_of_any_value() -> None:
    chance = random.Random(5)  # noqa: S311 - values for a test
    lines = []
    for _ in range(400):
        first, second = repr(value(chance)), repr(value(chance))
        calls = [
            f"divide({first})",
            f"divide({first}, key={second}, at=datetime.date(2024, 1, 2))",
            f'app.tasks["shop.divide"]({first}, {second})',
            f"divide.apply(args=[{first}], kwargs={{'key': {second}}}, retries=3).get()",
            f"Decimal({first})",
        ]
        lines += [laid_out(call, "    ") for call in calls]
        lines += [laid_out(call, "    ", "result = ") for call in calls]
        lines += [laid_out(first, "    ", "expected = ")]
        lines += [laid_out(f"raises({first})", "    ", "with ", ":") + "\n        pass"]
    source = "def test() -> None:\n" + "\n".join(lines) + "\n"

    again = formatted(source)

    assert again.splitlines() == source.splitlines()


@pytest.mark.parametrize("text", ["", "a", "'", '"', "'\"", "''\"", '\'""', "\\'", '\\"', "\n\0é\ud800", "'''\"\"\""])
def test_quoted_is_the_text(text: str) -> None:
    assert eval(quoted(text)) == text  # noqa: S307 - that is what it is for
    data = text.encode("latin-1", errors="replace")
    assert eval(quoted(data)) == data  # noqa: S307
