"""Run by path, `/…/python /…/devkit/agent launch|send …`: puts devkit's agent on this interpreter's path, no more."""

import importlib
import os
import sys

# The folder that holds the package `devkit` may hold a whole other environment: it is on the path only, and last,
# while `devkit` itself is found. From then on its submodules are found through the package.
_home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(_home)
importlib.import_module("devkit.agent")
sys.path.remove(_home)
# As `python -m` does: the working directory comes first, in place of this file's folder.
sys.path[0] = os.getcwd()

if __name__ == "__main__":
    if sys.argv[1] == "launch":
        from devkit.agent.launch import main

        main(sys.argv[2:])
    else:
        from devkit.agent.send import main as send

        send()
