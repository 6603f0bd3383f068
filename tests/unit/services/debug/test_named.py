"""Which paused task is meant by a word, and what is a task at all."""

from pathlib import Path

import pytest

from devkit.errors import UsageError
from devkit.services.debug.named import check_among, check_word, matching
from tests.unit.services.debug.pauses import ID, paths_in, paused


@pytest.mark.parametrize("word", ["divide", "tasks.divide", "shop.tasks.divide", "4f1c", ID])
def test_a_task_is_meant_by_its_name_or_its_id(word: str) -> None:
    one = paused()

    assert matching([paused(id="99", task="shop.tasks.add"), one], word) == [one]


@pytest.mark.parametrize("word", ["ivide", "shop", "4f1", "tasks"])
def test_others_are_not_meant(word: str) -> None:
    assert matching([paused()], word) == []


def test_the_beginning_of_several_ids_is_refused_with_their_names() -> None:
    with pytest.raises(UsageError) as caught:
        matching([paused(id="4f1c1"), paused(id="4f1c2")], "4f1c")

    assert caught.value.looked == ("4f1c1", "4f1c2")


def test_a_whole_id_is_nobody_elses_beginning() -> None:
    one, thread = paused(), paused(id=f"{ID}-2", task_id=ID)

    assert matching([one, thread], ID) == [one]
    assert matching([one, thread], "4f1c") == [one, thread]


@pytest.mark.parametrize("word", ["divide", "shop.divide", "4f1c", "pid-17"])
def test_what_may_be_waited_for(word: str) -> None:
    check_among(["shop.divide", "shop.add"], word, "/shop/sessions")


def test_without_a_stack_every_name_may_be_a_task(tmp_path: Path) -> None:
    check_word("divid", paths_in(tmp_path))


@pytest.mark.parametrize(
    ("word", "message"), [("divid", "did you mean 'divide'"), ("add", "several tasks end in 'add'")]
)
def test_what_cannot_be_waited_for(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_among(["shop.divide", "shop.add", "cart.add"], word, "/shop/sessions")
