"""OpenVINO's plug-in for CPUs, without what it does to the signals of a process.

The programs run models in processes of their own, one after the other; tests do not.
"""

import contextlib
import ctypes
import sys

import openvino


def compile_model(model, hints):
    """Makes a model ready to run on the CPU.

    Args:
        model: An `openvino.Model`, or the path of one.
        hints: Dict of OpenVINO's settings.

    Returns:
        An `openvino.CompiledModel`.
    """
    with keeping_signal_stack():
        return openvino.Core().compile_model(model, "CPU", hints)


class _SignalStack(ctypes.Structure):
    """`stack_t` of Linux: where the thread's signal handlers run."""

    _fields_ = (
        ("pointer", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("size", ctypes.c_size_t),
    )


@contextlib.contextmanager
def keeping_signal_stack():
    """A context after which the thread's signal handlers run where they ran before it.

    OpenVINO 2026.4's CPU plug-in has them run on memory of its own, and unmaps that when it is
    released. If another plug-in was loaded since, nothing leads away from that memory: the next
    signal that Python handles, Ctrl-C for one, is a segmentation fault.
    """
    if sys.platform != "linux":  # the plug-in does so on Linux alone
        yield
        return
    library, stack = ctypes.CDLL(None, use_errno=True), _SignalStack()
    if library.sigaltstack(None, ctypes.byref(stack)):
        raise OSError(ctypes.get_errno(), "cannot read the stack of signal handlers")
    try:
        yield
    finally:
        library.sigaltstack(ctypes.byref(stack), None)
