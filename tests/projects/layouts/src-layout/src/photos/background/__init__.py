from photos.background.application import background

__all__ = ["background"]
