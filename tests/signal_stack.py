"""The memory on which a thread's signal handlers run, which OpenVINO's plug-in for CPUs moves."""

import contextlib
import ctypes
import sys


class SignalStack(ctypes.Structure):
    """`stack_t` of Linux."""

    _fields_ = (
        ("pointer", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("size", ctypes.c_size_t),
    )


def signal_stack():
    """Where the thread's signal handlers run: a `SignalStack`, or None where it is not Linux."""
    if sys.platform != "linux":  # the plug-in moves it on Linux alone
        return None
    stack = SignalStack()
    _sigaltstack(None, ctypes.byref(stack))
    return stack


@contextlib.contextmanager
def keeping_signal_stack():
    """A context after which the thread's signal handlers run where they ran before it.

    OpenVINO 2026.4's CPU plug-in has them run on memory of its own, and unmaps that when it is
    released. If another plug-in was loaded since, nothing leads away from that memory: the next
    signal that Python handles, Ctrl-C for one, is a segmentation fault.
    """
    stack = signal_stack()
    try:
        yield
    finally:
        if stack is not None:
            _sigaltstack(ctypes.byref(stack), None)


def _sigaltstack(new, old):
    if ctypes.CDLL(None, use_errno=True).sigaltstack(new, old):
        raise OSError(ctypes.get_errno(), "cannot read or set the stack of signal handlers")
