"""The state that blocks hand on."""

import pytest

from pale_tf.layers.blocks.state import State


def test_shares_nothing_to_begin_with_and_cannot_be_changed_for_others():
    state = State("map")
    assert dict(state.shared) == {}
    with pytest.raises(TypeError):
        state.shared["weights"] = 1
    assert dict(State("other").shared) == {}
