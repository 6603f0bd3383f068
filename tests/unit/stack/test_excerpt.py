"""Which of a service's last lines its author can act on."""

from devkit.stack.excerpt import excerpt

OWN = '  File "/home/me/project/tasks.py", line 3, in divide\n    return x / y\n           ~~^~~\n'
LIBRARY = (
    '  File "/home/me/project/.venv/lib/python3.11/site-packages/celery/app/base.py", line 5, in load\n    call()\n'
)
STANDARD = '  File "/usr/lib/python3.11/importlib/__init__.py", line 126, in import_module\n    return _gcd_import()\n'
FROZEN = '  File "<frozen importlib._bootstrap>", line 1204, in _gcd_import\n'
LAUNCHER = '  File "/opt/devkit/agent/launch.py", line 79, in _run\n    runpy.run_module()\n'
HEAD = "Traceback (most recent call last):\n"
ERROR = "ZeroDivisionError: division by zero\n"


def test_the_last_lines() -> None:
    assert excerpt("one\ntwo\nthree\n", 2) == "two\nthree"
    assert excerpt("one\n", 20) == "one"
    assert excerpt("", 20) == ""


def test_of_a_traceback_the_projects_own_frames_stay() -> None:
    text = "before\n" + HEAD + LAUNCHER + STANDARD + FROZEN + OWN + LIBRARY + ERROR + "after\n"

    assert excerpt(text, 20) == ("before\n" + HEAD + OWN + ERROR + "after\n").rstrip("\n")


def test_the_lines_are_counted_after_the_cut() -> None:
    text = OWN + LIBRARY * 20 + ERROR

    assert excerpt(text, 4) == (OWN + ERROR).rstrip("\n")


def test_without_a_frame_of_the_project_the_text_stays_whole() -> None:
    text = HEAD + STANDARD + LIBRARY + ERROR

    assert excerpt(text, 20) == text.rstrip("\n")


def test_a_traceback_within_another_programs_lines_is_cut_at_its_own_depth() -> None:
    indented = "".join(f"  | {line}\n" for line in (HEAD + LIBRARY + OWN + ERROR).splitlines())

    assert OWN.splitlines()[0] in excerpt(indented, 20)
    assert ERROR.strip() in excerpt(indented, 20)


def test_a_syntax_error_keeps_the_line_that_is_wrong() -> None:
    wrong = '  File "/home/me/project/tasks.py", line 3\n    return x /\n              ^\nSyntaxError: invalid syntax\n'

    assert excerpt(HEAD + LIBRARY + wrong, 20) == (HEAD + wrong).rstrip("\n")
