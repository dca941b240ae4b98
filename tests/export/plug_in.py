"""OpenVINO's plug-in for CPUs, without what it does to the signals of a process.

The programs run models in processes of their own, one after the other; tests do not.
"""

import openvino

from tests.signal_stack import keeping_signal_stack


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
