"""What a session says of a task that is debugged in an editor; nobody else can attach to it."""

from .session import Session

HOST = "127.0.0.1"
PORT = 5678  # where editors look for a Python program without being told
WAITS = "waits for an editor"
ATTACHED = "in the editor"


def in_editor(session: Session) -> bool:
    """Whether the session's port speaks the editors' protocol (DAP)."""
    return session.why in (WAITS, ATTACHED)
