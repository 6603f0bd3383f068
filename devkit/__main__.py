"""`python -m devkit` is `devkit`."""

from devkit.cli import main

main()
