"""Rewriting of an OpenVINO model into what OpenVINO's CPU plug-in has its fastest kernels for."""

import math

import numpy as np
from openvino import opset13 as ops
from openvino.passes import AnyInput, Manager, Matcher, MatcherPass, WrapType, consumers_count
from openvino.utils import replace_node


def rewrite(model, convolutions=True):
    """Rewrites a model in place. Its numbers stay the same, but for rounding.

    | in TensorFlow's graph | becomes | because |
    |---|---|---|
    | LayerNorm in seven operations | `MVN` | it is one pass over memory |
    | exact GELU in five operations | `Gelu` | it runs inside the product before it |
    | point-wise layer, as a product | 1×1 `Convolution` | float32 products get a slower kernel |

    Speed of Pale-T at 224×224 on two cores with AVX512-BF16, as multiples of the speed before:

    | | float32, batch 1 | 8 | bfloat16, batch 1 | 8 |
    |---|---|---|---|---|
    | the first two | 1.03 | 1.00 | 1.04 | 1.04 |
    | all three | 1.13 | 1.07 | 1.06 | 1.05 |

    Tried and dropped: point-wise layers as convolutions of whole maps, and sums inside their
    kernels. Both make the plug-in choose another layout, and move more data than they save.

    Args:
        model: An `openvino.Model`.
        convolutions: Whether point-wise layers are rewritten, where the number of tokens is known.
            In eight bits, products are faster.
    """
    rewritings = [_layer_norm(), _gelu()]
    if convolutions:
        # The longest first: what a layer holds is part of it.
        rewritings += [_point_wise(activated=True), _point_wise(activated=False)]
    manager = Manager()
    for rewriting in rewritings:
        manager.register_pass(rewriting)
    manager.run_passes(model)


class _Rewriting(MatcherPass):
    """Replaces what matches a pattern.

    Args:
        pattern: Dict of the pattern's parts by name; the last one is the whole.
        make: From the parts that were found, as keyword arguments, the new node; None for none.
    """

    def __init__(self, pattern, make):
        super().__init__()
        self.pattern, self.make = pattern, make
        *_, whole = pattern.values()
        self.register_matcher(Matcher(whole, make.__name__), self.replace)

    def replace(self, matcher):
        found = matcher.get_pattern_value_map()
        old = matcher.get_match_root()
        new = self.make(**{name: found[part] for name, part in self.pattern.items()})
        if new is None:
            return False
        new.set_friendly_name(old.get_friendly_name())
        replace_node(old, new)
        return True


def _layer_norm():
    """Deviation from the mean over its root mean square."""
    x, axis, square_axis, epsilon, power = AnyInput(), *(_constant() for _ in range(4))
    mean = _node("ReduceMean", x, axis)
    deviation = _node("Subtract", x, mean)
    variance = _node("ReduceMean", _node("Multiply", deviation, deviation), square_axis)
    scale = _node("Power", _node("Add", variance, epsilon), power)

    def make_mvn(x, axis, square_axis, epsilon, power, mean, variance, whole):
        axes = _values(axis).reshape(-1)
        kept = all(part.get_node().get_attributes()["keep_dims"] for part in (mean, variance))
        same = np.array_equal(axes, _values(square_axis).reshape(-1))
        if not (kept and same and _is(power, -0.5) and _values(epsilon).size == 1):
            return None
        return ops.mvn(x, axes, True, _values(epsilon).item(), "inside_sqrt")

    parts = {"x": x, "axis": axis, "square_axis": square_axis, "epsilon": epsilon, "power": power}
    parts |= {"mean": mean, "variance": variance, "whole": _node("Multiply", deviation, scale)}
    return _Rewriting(parts, make_mvn)


def _gelu():
    """`x/2·(1 - erf(-x·√½))`, into which OpenVINO takes TensorFlow's `erfc` apart."""
    x, half, one, root = AnyInput(), *(_constant() for _ in range(3))
    erf = _node("Erf", _node("Multiply", _node("Negative", x), root))
    whole = _node("Multiply", _node("Multiply", x, half), _node("Subtract", one, erf))

    def make_gelu(x, half, one, root, whole):
        return (
            ops.gelu(x, "erf") if _is(half, 0.5) and _is(one, 1) and _is(root, 0.5**0.5) else None
        )

    return _Rewriting({"x": x, "half": half, "one": one, "root": root, "whole": whole}, make_gelu)


def _point_wise(activated):
    """Product of tokens with a constant kernel, plus a constant bias; perhaps with a GELU."""
    tokens, kernel, bias = AnyInput(), _constant(), _constant()
    product = WrapType("opset13.MatMul", [tokens, kernel], consumers_count(1))
    whole = biased = _node("Add", product, bias)
    if activated:
        biased = WrapType("opset13.Add", [product, bias], consumers_count(1))
        whole = _node("Gelu", biased)

    def make_convolution(tokens, kernel, bias, product, whole):
        shape, weights = tokens.get_partial_shape(), _values(kernel)
        flags = product.get_node().get_attributes()
        if len(shape) != 2 or shape.is_dynamic or weights.ndim != 2 or flags["transpose_a"]:
            return None
        weights = weights if flags["transpose_b"] else weights.T
        units, channels = weights.shape
        if _values(bias).size != units or _values(bias).shape[-1:] != (units,):
            return None
        # All tokens in one row of a map. The plug-in keeps channels last: no data is moved.
        row = ops.transpose(ops.reshape(tokens, [1, 1, -1, channels], False), [0, 3, 1, 2])
        kernels = ops.constant(np.ascontiguousarray(weights).reshape(units, channels, 1, 1))
        outputs = ops.convolution(row, kernels, [1, 1], [0, 0], [0, 0], [1, 1])
        outputs = ops.add(outputs, ops.constant(_values(bias).reshape(1, units, 1, 1)))
        if activated:
            outputs = ops.gelu(outputs, whole.get_node().get_attributes()["approximation_mode"])
        return ops.reshape(ops.transpose(outputs, [0, 2, 3, 1]), [-1, units], False)

    parts = {"tokens": tokens, "kernel": kernel, "bias": bias, "product": product, "whole": whole}
    return _Rewriting(parts, make_convolution)


def _constant():
    return WrapType("opset13.Constant")


def _node(kind, *inputs):
    return WrapType(f"opset13.{kind}", list(inputs))


def _is(output, value):
    """Whether a constant is one number, but for rounding."""
    return _values(output).size == 1 and math.isclose(_values(output).item(), value, rel_tol=1e-6)


def _values(output):
    return output.get_node().data
