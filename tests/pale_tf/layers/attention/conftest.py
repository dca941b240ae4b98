"""Gives the tests of `EveryAttention` the forms of the attentions that a subclass names."""

from pale_tf.layers.attention import make_attention
from tests.pale_tf.layers.attention.every_attention import FORMS


def pytest_generate_tests(metafunc):
    if "make" in metafunc.fixturenames and metafunc.cls is not None:
        forms = [form for form in FORMS if FORMS[form][0] in metafunc.cls.attentions]
        metafunc.parametrize("make", [maker(*FORMS[form]) for form in forms], ids=forms)


def maker(name, place, options):
    """Function of keyword arguments that makes the layer of a form."""
    return lambda **kwargs: make_attention(name, place, 4, **{**options, **kwargs})
