"""Gives the tests of `EveryAttention` the forms of the attentions that a subclass names."""

import pytest

from pale_tf.layers.attention import make_attention
from tests.pale_tf.layers.attention.every_attention import FORMS, TRACED


def pytest_generate_tests(metafunc):
    if "make" in metafunc.fixturenames and metafunc.cls is not None:
        forms = [form for form in FORMS if FORMS[form][0] in metafunc.cls.attentions]
        names = [FORMS[form][0] for form in forms]
        traced = metafunc.function.__name__ in TRACED
        makers = [
            pytest.param(
                maker(*FORMS[form]),
                id=form,
                marks=[pytest.mark.slow] if traced and name in names[:place] else [],
            )
            for place, (form, name) in enumerate(zip(forms, names, strict=True))
        ]
        metafunc.parametrize("make", makers)


def maker(name, place, options):
    """Function of keyword arguments that makes the layer of a form."""
    return lambda **kwargs: make_attention(name, place, 4, **{**options, **kwargs})
