"""Where each shell reads its completions from, and how they get there."""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from devkit.errors import DevkitError

# zsh knows how to complete only once this has run, which a bare .zshrc leaves out.
ZSH_READY = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }; "


def place(shell: str, script: str) -> Iterator[str]:
    """Put the script there; yields what was done. Nothing changes the second time. Raises DevkitError."""
    file = _folder("XDG_CONFIG_HOME", ".config") / "fish/completions/devkit.fish"
    if shell != "fish":
        file = _folder("XDG_DATA_HOME", ".local/share") / f"devkit/completion.{shell}"
    try:
        yield f"{file}: {_write(file, script)}"
        if start := _read_at_start(shell):
            line = f"[ ! -f {shlex.quote(str(file))} ] || {ZSH_READY * (shell == 'zsh')}. {shlex.quote(str(file))}"
            yield f"{start}: {_add(start, line)}"
    except OSError as error:
        raise DevkitError(
            f"cannot write {error.filename}: {error.strerror}",
            mend=[f"put it where {shell} reads it by hand: devkit completion {shell}"],
        ) from error
    yield f"it counts in each {shell} that starts from now on"


def _folder(variable: str, usual: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / usual)


def _read_at_start(shell: str) -> Path | None:
    """The file that an interactive shell reads; fish reads its completions by themselves."""
    match shell:
        case "bash":
            # A terminal of macOS starts a login shell.
            return Path.home() / (".bash_profile" if sys.platform == "darwin" else ".bashrc")
        case "zsh":
            return Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zshrc"
    return None


def _write(file: Path, text: str) -> str:
    if file.is_file() and file.read_text() == text:
        return "is up to date"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return "written"


def _add(file: Path, line: str) -> str:
    text = file.read_text(errors="surrogateescape") if file.exists() else ""
    if line in text.splitlines():
        return "reads it already"
    gap = "" if not text or text.endswith("\n") else "\n"
    with file.open("a") as appended:
        appended.write(f"{gap}# Completion of devkit.\n{line}\n")
    return "reads it"
