"""Run by path, `/…/python /…/devkit/agent launch|send …`: devkit's agent under the project's interpreter."""

import importlib
import importlib.util
import os
import sys

# The folder that holds the package `devkit` may hold a whole other environment, and the project may have another
# devkit of its own: so nothing is put on the path, and the agent gets a name that nobody else has.
_here = os.path.dirname(os.path.abspath(__file__))
_spec = importlib.util.spec_from_file_location(
    "_devkit_agent", os.path.join(_here, "__init__.py"), submodule_search_locations=[_here]
)
assert _spec is not None
sys.modules["_devkit_agent"] = importlib.util.module_from_spec(_spec)
# As `python -m` does: the working directory comes first, in place of this file's folder.
sys.path[0] = os.getcwd()

if __name__ == "__main__":
    importlib.import_module(f"_devkit_agent.{sys.argv[1]}").main(sys.argv[2:])
