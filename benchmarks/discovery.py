"""Finding out how a project is run, from its own files, against reading those files and looking at nothing in them.

The floor is a bare `os.walk` that reads each Python file and each file that may tell of start lines by its name. Both
run in a process of their own, with all modules loaded, on files that the system has in memory; so the processor's time
is what it takes.
"""

import json
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks._common import Row, asked_runs, clean_environ, interleaved, progress, report, spread, temporary_folder

PROMISED_RATIO = 2.0
SIZES = (5_000, 50_000)

FIND = """
import sys, time
from pathlib import Path
from devkit.settings.discover import find_programs
from devkit.settings.discover.project import scan
from devkit.settings.evidence.launch import start_lines
import yaml
root = Path(sys.argv[1])
began = time.process_time()
lines = start_lines(root, scan(root).contents.of)
found = find_programs(root, lines)
seconds = time.process_time() - began
assert [str(worker.app) for worker in found.workers] == ["shop.jobs:app"], found
assert [line.spec for line in lines] == ["shop.jobs", "shop.main:app", "shop.jobs", "shop.main:app"], lines
print(seconds)
"""
READ = """
import os, sys, time
from devkit.settings.evidence.walk import may_tell
began = time.process_time()
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        if name.endswith(".py") or may_tell(name):
            with open(os.path.join(folder, name), "rb") as stream:
                stream.read()
print(time.process_time() - began)
"""

COMPOSE = """\
services:
  jobs:
    build: .
    command: celery -A shop.jobs worker
  api:
    build: .
    command: uvicorn shop.main:app
"""
MODULE = "".join(f"def price_{n}(amount, rate):\n    return amount * rate + {n}\n\n\n" for n in range(30))
OTHERS = {
    "md": "# Notes\n\nText.\n" * 40,
    "yml": "name: value\n" * 40,
    "json": "{}\n",
    "html": "<p>\n" * 40,
    "sh": "true\n" * 20,
}


def project(root: Path, size: int) -> Path:
    """Three of four files are Python; among them are the apps, beside them what starts those."""
    files = {
        "shop/jobs.py": "from celery import Celery\napp = Celery('shop')\n",
        "shop/main.py": "from fastapi import FastAPI\nfrom shop.jobs import app as jobs\napp = FastAPI()\n",
        "docker-compose.yml": COMPOSE,
        "Dockerfile": "FROM python\nWORKDIR /app\nCOPY . .\n",
        "README.md": "```\ncelery -A shop.jobs worker\nuvicorn shop.main:app\n```\n",
    }
    endings = list(OTHERS)
    for number in range(size - len(files)):
        ending = "py" if number % 4 else endings[number // 4 % len(endings)]
        files[f"shop/part_{number // 40}/file_{number}.{ending}"] = OTHERS.get(ending, MODULE)
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def seconds(code: str, root: Path) -> float:
    done = subprocess.run([sys.executable, "-c", code, str(root)], check=True, capture_output=True, env=clean_environ())
    return float(json.loads(done.stdout))


def row(home: Path, size: int, runs: int) -> Row:
    progress(f"{size:,} files")
    root = project(home / str(size), size)
    seconds(READ, root)
    times = interleaved({"find": partial(seconds, FIND, root), "read": partial(seconds, READ, root)}, runs)
    progress("")
    ratio = statistics.median(times["find"]) / statistics.median(times["read"])
    return Row(
        f"start lines and programs of {size:,} files; os.walk and read()",
        spread(times["find"], digits=3),
        spread(times["read"], digits=3),
        f"{ratio:.2f} x",
        f"<= {PROMISED_RATIO} x",
        ratio <= PROMISED_RATIO,
    )


def main() -> int:
    runs = asked_runs(__doc__, 7)
    with temporary_folder() as home:
        return report([row(home, size, runs) for size in SIZES])


if __name__ == "__main__":
    sys.exit(main())
