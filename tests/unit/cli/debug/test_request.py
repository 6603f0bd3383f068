"""What was asked of `devkit debug` as it is typed, and what does not go together."""

from shlex import split

import pytest

from devkit.cli.base import project_flags
from devkit.cli.debug.command import debug
from devkit.cli.debug.request import DebugRequest
from devkit.errors import UsageError


def typed(line: str) -> DebugRequest:
    options = debug.make_context("debug", split(line)).params
    project_flags(options)
    return DebugRequest(**options)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--run", "--run needs a TASK"),
        ("divide --args '[1]'", "--args, --kwargs and --queue belong to --run"),
        ("divide --kwargs '{\"x\": 1}'", "--args, --kwargs and --queue belong to --run"),
        ("divide --queue slow", "--args, --kwargs and --queue belong to --run"),
        ("--ide", "--ide needs a TASK"),
        ("divide --ide-port 5679", "--ide-port belongs to --ide"),
        ("divide --ide --break tasks.py:3", "--ide goes without --break, --on-failure and --execute"),
        ("divide --ide --on-failure", "--ide goes without --break, --on-failure and --execute"),
        ("divide --ide -e c", "--ide goes without --break, --on-failure and --execute"),
        ("divide --if x", "--if belongs to --break"),
        ("--on-failure --if x", "--if belongs to --break"),
        ("divide --retries", "--retries belongs to --on-failure"),
        ("--break divide --retries", "--retries belongs to --on-failure"),
        ("divide --no-wait", "--no-wait belongs to --break or --on-failure"),
        ("-n staging", "--namespace belongs to --pod"),
        ("--container worker -n staging", "--namespace belongs to --pod"),
        ("--container worker --pod worker-0", "--container and --pod exclude each other"),
        ("--json", "--json belongs to --list or --breakpoints"),
        ("--clear --json", "--json belongs to --list or --breakpoints"),
    ],
)
def test_what_does_not_go_together(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        typed(line).check_together()

    assert caught.value.what == message
    assert caught.value.mend == ("see devkit debug --help",)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "divide",
        "divide --run --args '[1]' --kwargs '{\"x\": 1}' --queue slow",
        "divide --run --break tasks.py:3 --if x -e c",
        "divide --run --ide --ide-port 5679 --args '[1]'",
        "--break divide --break tasks.py:3 --if x --no-wait",
        "divide --on-failure --retries --no-wait --timeout 3",
        "--list --json",
        "--breakpoints --json",
        "--clear --break divide",
        "--pod worker-0 -n staging -e c",
        "--container worker --port 6900",
    ],
)
def test_what_goes_together(line: str) -> None:
    typed(line).check_together()


@pytest.mark.parametrize(
    ("line", "breaks"), [("divide", False), ("--break divide", True), ("--on-failure", True), ("divide --ide", False)]
)
def test_whether_it_says_where_to_pause(line: str, breaks: bool) -> None:
    assert typed(line).breaks is breaks
