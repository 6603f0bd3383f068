"""Where the running devkit was installed from, so that an image can get the same one."""

import json
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import devkit
from devkit import DISTRIBUTION
from devkit.errors import DevkitError

# Of devkit's source, what an installation needs.
PARTS = ("pyproject.toml", "README.md", "LICENSE", "devkit")


@dataclass(frozen=True)
class Origin:
    """`requirement` is what pip is told; or the `source` is on this machine, a folder or an archive."""

    requirement: str = ""
    source: Path | None = None
    needs_git: bool = False


def find_origin() -> Origin:
    """As pip noted it (PEP 610); without such a note it came from an index."""
    try:
        noted = distribution(DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:
        noted = None
    source = Path(devkit.__file__).parents[1]
    if (source / "pyproject.toml").is_file():  # it runs from its source, whatever is noted
        return Origin(source=source)
    return origin_of(noted, devkit.__version__)


def origin_of(noted: str | None, version: str) -> Origin:
    """`noted` is the content of direct_url.json. Raises DevkitError for a source that is not there any more."""
    told = json.loads(noted) if noted else {}
    url = told.get("url", "")
    if vcs := told.get("vcs_info"):
        return Origin(f"{DISTRIBUTION} @ {vcs['vcs']}+{url}@{vcs['commit_id']}", needs_git=vcs["vcs"] == "git")
    if urlsplit(url).scheme in ("http", "https"):
        return Origin(f"{DISTRIBUTION} @ {url}")
    if not url:
        return Origin(f"{DISTRIBUTION}=={version}")
    source = Path(unquote(urlsplit(url).path))
    if not source.exists():
        raise DevkitError(
            f"an image cannot get this devkit: it was installed from {source}, which is not there any more",
            mend=["install devkit again, from where it is now"],
        )
    return Origin(source=source)


def copy_source(source: Path, target: Path) -> None:
    """Copy what an installation needs, in the place of an earlier copy. Its version comes with it, as git does not."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in [source / name for name in PARTS] if source.is_dir() else [source]:
        if path.is_dir():
            shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.exists():
            shutil.copy(path, target)
    if source.is_dir():
        told = f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {devkit.__version__}\n"
        (target / "PKG-INFO").write_text(told)
