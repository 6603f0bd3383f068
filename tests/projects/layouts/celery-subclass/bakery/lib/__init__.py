from bakery.lib.queue import TracedCelery

__all__ = ["TracedCelery"]
