"""What all tests rely on."""

import signal

# Started in the background, as by nohup, the tests and all that they start would ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
