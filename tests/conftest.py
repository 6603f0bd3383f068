"""What all tests rely on."""

import signal

# Started in the background or by nohup, the tests and all that they start would ignore these; a handler is not passed
# on to other programs.
for _signum in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_signum) is signal.SIG_IGN:
        signal.signal(_signum, signal.default_int_handler if _signum == signal.SIGINT else lambda *_: None)
