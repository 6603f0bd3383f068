"""Runs the benchmarks that are asked for, or all: `python benchmarks/reload [--runs N] [NAME…]`."""

import argparse
import sys
from collections.abc import Callable, Mapping

from benchmarks import reload
from benchmarks._common import Row, redis_server, report, temporary_folder
from benchmarks.reload.api import api
from benchmarks.reload.commands import has_watchfiles
from benchmarks.reload.endurance import endurance
from benchmarks.reload.heavy import heavy
from benchmarks.reload.idle import idle
from benchmarks.reload.queued import queued
from benchmarks.reload.sample import Lab
from benchmarks.reload.tree import tree

BENCHMARKS: Mapping[str, Callable[[Lab, int], list[Row]]] = {
    "idle": idle,
    "queued": queued,
    "api": api,
    "heavy": heavy,
    "tree": tree,
    "endurance": endurance,
}


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(reload.__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="repetitions of idle, heavy and tree (10)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which; all by default: {', '.join(BENCHMARKS)}")
    asked = parser.parse_args()
    if asked.runs < 1:
        parser.error("--runs has to be at least 1")
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"there is no {' or '.join(sorted(unknown))}, only {', '.join(BENCHMARKS)}")
    if not has_watchfiles():
        print("watchfiles is not installed: pip install watchfiles", file=sys.stderr)
    with temporary_folder() as home, redis_server(home) as port:
        lab = Lab(home, port)
        return report([row for name in asked.names or BENCHMARKS for row in BENCHMARKS[name](lab, asked.runs)])


if __name__ == "__main__":
    sys.exit(main())
