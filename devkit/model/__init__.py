"""What the parts of devkit tell each other: plain values, for every interpreter. Standard library only, Python 3.10."""
