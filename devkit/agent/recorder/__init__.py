"""Recording failed tasks, in the worker's main process, from the message as it arrived."""

from .install import Recording

__all__ = ["Recording"]
