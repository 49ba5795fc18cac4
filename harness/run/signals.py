"""Signals that interrupt the main greenlet only."""

from __future__ import annotations

import signal

import gevent


def interrupt_between_turns(number: signal.Signals) -> None:
    """Make a signal interrupt the main greenlet, between two turns of the event loop.

    Python raises KeyboardInterrupt in whatever greenlet is running. In the middle of a response,
    that response would be lost.
    """
    # A signal that is ignored, or handled by somebody else, is left alone.
    if signal.getsignal(number) not in (signal.SIG_DFL, signal.default_int_handler):
        return
    hub = gevent.get_hub()
    main = hub.parent
    assert main is not None

    def interrupt(_number: int, _frame: object) -> None:
        hub.loop.run_callback_threadsafe(main.throw, KeyboardInterrupt)

    signal.signal(number, interrupt)
