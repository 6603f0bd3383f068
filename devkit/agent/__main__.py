"""devkit's agent under the project's interpreter, run by path: `/…/python /…/devkit/agent MODULE ARGUMENT…`.

MODULE is one that has a `main`: launch, zygote, replay, results or send.
"""

import importlib
import os
import sys
import types

# The folder that holds the package `devkit` may hold a whole other environment, and the project may have another
# devkit of its own: so nothing is put on the path, and what the agent needs of devkit gets a name that nobody else has.
_devkit = types.ModuleType("_devkit")
_devkit.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
sys.modules["_devkit"] = _devkit
# As `python -m` does: the working directory comes first, in place of this file's folder.
sys.path[0] = os.getcwd()

# What devkit calls it for, and where that lives.
VERBS = {
    "launch": "fork.launch",
    "zygote": "fork.zygote",
    "send": "app.send",
    "results": "results.search",
    "replay": "replay.serve",
}

if __name__ == "__main__":
    importlib.import_module(f"_devkit.agent.{VERBS[sys.argv[1]]}").main(sys.argv[2:])
