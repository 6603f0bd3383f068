"""What a process tells that is no agent of devkit's, or another version's."""

import os
from pathlib import Path

import pytest

from devkit.errors import DevkitError
from devkit.model.wire import SendNews, SendOrder
from devkit.services.project.errand import run_errand
from devkit.services.project.target import Target
from devkit.services.replay.replayer import CannotReplay, Replayer
from devkit.settings.discover import AppRef

ODD = ["printed", "[1]", '{"sent": 1}', '{"done": {"state": "SUCCESS"}}', '{"problem": null}', '{"ready": "yes"}']
ORDER: SendOrder = {
    "module": "shop", "attribute": "app", "task": "shop.add", "args": [], "kwargs": {}, "queue": None, "wait": False,
    "task_id": None, "failures": "", "sessions": None,
}  # fmt: skip


def telling(folder: Path, line: str, fd: str) -> Target:
    """One whose interpreter tells this line there, and waits."""
    python = folder / "python"
    python.write_text(f"#!/bin/bash\necho '{line}' >&{fd}\nexec sleep 60\n")
    python.chmod(0o700)
    return Target(AppRef(folder, "shop", "app"), str(python), dict(os.environ))


@pytest.mark.parametrize("line", ODD[:-1])
def test_an_errand_ends_with_a_word_about_it(tmp_path: Path, line: str) -> None:
    news = run_errand(telling(tmp_path, line, "1"), ["send"], ORDER, SendNews, lambda _: DevkitError("no"), "sending")

    with pytest.raises(DevkitError, match="sending tells what is no SendNews"):
        list(news)


@pytest.mark.parametrize("line", [*ODD[:2], *ODD[-2:]])
def test_a_replay_too(tmp_path: Path, line: str) -> None:
    replayer = Replayer(telling(tmp_path, line, "$6"))
    try:
        with pytest.raises(CannotReplay, match="its process tells what is no ReplayAnswer"):
            _ = replayer.broker
    finally:
        replayer.close()
