"""The help and the docs know every command, every option and every setting."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
import yaml

from devkit.cli.main import cli
from devkit.settings.options import environment_name, known

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
READERS: dict[str, Callable[[str], object]] = {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads}
COMMANDS = sorted(cli.commands.items())


def options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def long_names(command: click.Command) -> Iterator[str]:
    for option in options(command):
        yield from (name for name in (*option.opts, *option.secondary_opts) if name.startswith("--"))


def mentions(page: str, option: str) -> bool:
    """Whether the page has this option, not only one that begins like it."""
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", page) is not None


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_command_and_every_option_has_a_help_text(name: str, command: click.Command) -> None:
    assert command.help, f"devkit {name} has no help"
    assert [option.name for option in options(command) if not option.help] == []


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_command_has_a_page_that_mentions_every_option(name: str, command: click.Command) -> None:
    page = (DOCS / f"{name}.md").read_text()

    assert f"devkit {name}" in page
    assert [option for option in long_names(command) if not mentions(page, option)] == []


def test_the_options_of_devkit_itself_are_in_the_docs() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "README.md", *DOCS.glob("*.md")))

    assert [option for option in long_names(cli) if not mentions(pages, option)] == []


def test_every_setting_is_in_the_docs_by_its_key_and_its_variable() -> None:
    page = (DOCS / "settings.md").read_text()

    assert [key for key in known() if f"`{key}`" not in page] == []
    assert any(environment_name(key) in page for key in known())


def test_every_setting_has_a_help_text() -> None:
    assert [key for key, text in known().items() if not text] == []


def test_the_readme_says_how_to_start_and_how_to_test() -> None:
    readme = (ROOT / "README.md").read_text()

    assert "make up" in readme
    assert "make test" in readme


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_the_docs_name_are_there(page: Path) -> None:
    named = re.findall(r"`((?:devkit|tests|benchmarks|sample_app)/[\w/.-]*)`", page.read_text())

    assert [path for path in named if "NAME" not in path and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_docs_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def anchors(page: Path) -> set[str]:
    """Those that GitHub makes of a page's headings."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_a_heading_lead_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)]+)\)", page.read_text())

    assert [link for link in links if link[1] not in anchors(page.parent / link[0] if link[0] else page)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_to_be_copied_can_be_read(page: Path) -> None:
    for language, text in re.findall(r"^```(json|yaml|toml)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        READERS[language](text)


def test_the_readme_names_every_page() -> None:
    readme = (ROOT / "README.md").read_text()

    assert [page.name for page in DOCS.glob("*.md") if f"docs/{page.name}" not in readme] == []
