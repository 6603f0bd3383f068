"""For all tests: a redis-server from a wheel, which `make` installs where there is no other, counts as installed."""

import os
import sys
from pathlib import Path

os.environ["PATH"] += os.pathsep + str(Path(sys.executable).parent)
