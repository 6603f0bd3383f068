"""How values, errors and messages of the project are put into words, bounded and without its code being run."""
