"""Pruned networks against the same networks whose dropped units have no weight."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pale_tf import PaleConfig, PaleN, fuse, pale_network, prune
from pale_tf.prune import choose, pruned_config
from tests.pale_tf.layers.checks import randomize
from tests.pale_tf.test_fuse import assert_same, disturbed

SIZE = (44, 36)
OPTIONS = {
    "plain": {},
    "linear": {"projection": "linear", "attention": "pale_sequential"},
    "shared_and_selected": {"share_attention": 2, "keep_tokens": 0.5},
}


def mine(**options):
    """A configuration with scores."""
    return PaleConfig(
        "mine", 16, (2, 1, 1, 1), (2, 4, 8, 16), pale_size=3, sparsity=0.01, **options
    )


def scored(config):
    """A network with random weights and scores."""
    network = disturbed(pale_network(config, input_shape=(*SIZE, 3), classes=4))
    for seed, layer in enumerate(scored_layers(network)):
        randomize(layer, seed)
    return network


def scored_layers(network):
    return [layer for layer in network.layers if getattr(layer, "sparsity", 0)]


@pytest.fixture(scope="module", params=OPTIONS.values(), ids=OPTIONS)
def pair(request):
    """A configuration, and a network of it that no test changes."""
    config = mine(**request.param)
    return config, scored(config)


def test_scores_weigh_units_and_are_in_the_loss():
    network = scored(mine())
    scores = [np.array(layer.scores) for layer in scored_layers(network)]
    assert len(scores) == 10  # an MLP and an attention in each block
    expected = 0.01 * sum(abs(values).sum() for values in scores)
    np.testing.assert_allclose(sum(map(float, network.losses)), expected, rtol=1e-5)
    plain = pale_network(
        PaleConfig("plain", 16, (2, 1, 1, 1), (2, 4, 8, 16), pale_size=3),
        input_shape=(*SIZE, 3),
        classes=4,
    )
    for layer in scored_layers(network):
        layer.scores.assign(np.ones(layer.scores.shape))
    for layer in plain.layers:
        values = {weight.path: weight for weight in network.get_layer(layer.name).weights}
        layer.set_weights([np.array(values[weight.path]) for weight in layer.weights])
    assert_same(network, plain, SIZE)


def test_all_forms_give_the_same_numbers(pair, tmp_path):
    _, network = pair
    assert_same(network, fuse(network), SIZE)
    network.save(tmp_path / "model.keras")
    assert_same(network, keras.saving.load_model(tmp_path / "model.keras"), SIZE)


def test_at_keep_1_numbers_stay(pair):
    _, network = pair
    pruned = prune(network, 1)
    assert not scored_layers(pruned)
    assert_same(network, pruned, SIZE)
    assert pruned.count_params() == network.count_params() - sum(
        layer.scores.shape[0] for layer in scored_layers(network)
    )


def test_what_is_dropped_had_no_weight(pair):
    """Scores of what goes are set to 0, found here by sorting all of them."""
    config, network = pair
    pruned = prune(network, 0.4)
    copy = pale_network(config, input_shape=(*SIZE, 3), classes=4)
    copy.set_weights(network.get_weights())
    units = np.concatenate(
        [abs(np.array(layer.scores)) for layer in scored_layers(copy) if "mlp" in layer.name]
    )
    threshold = np.sort(units)[::-1][round(0.4 * units.size) - 1]
    for layer in scored_layers(copy):
        scores, smaller = np.array(layer.scores), pruned.get_layer(layer.name)
        if "mlp" in layer.name:
            kept = abs(scores) >= threshold
            assert smaller.width == max(1, kept.sum())
        else:
            heads = abs(scores).reshape(layer.halves * layer.group_heads, -1)
            rank = np.argsort(np.argsort(-heads, axis=1), axis=1)
            kept = (rank < smaller.value_dim).reshape(-1)
        layer.scores.assign(np.where(kept, scores, 0))
    assert_same(copy, pruned, SIZE)
    channels = [layer for layer in scored_layers(copy) if "attention" in layer.name]
    left = sum(np.count_nonzero(np.array(layer.scores)) for layer in channels)
    total = sum(layer.scores.shape[0] for layer in channels)
    assert abs(left / total - 0.4) < 0.03


def test_a_pruned_network_is_an_ordinary_one(pair, tmp_path):
    """Its configuration builds it, and it folds, and saves, and trains as any other."""
    config, network = pair
    pruned = prune(network, 0.5)
    smaller = pruned_config(config, pruned)
    again = PaleConfig(**json.loads(json.dumps(vars(smaller))))
    assert (again, smaller.sparsity) == (smaller, 0.0)
    pruned.save_weights(tmp_path / "pruned.weights.h5")
    built = pale_network(
        again, input_shape=(*SIZE, 3), classes=4, weights=tmp_path / "pruned.weights.h5"
    )
    assert_same(pruned, built, SIZE)
    assert_same(pruned, fuse(pruned), SIZE)
    built.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)  # no tracing
    images = np.random.default_rng(0).uniform(0, 255, (2, *SIZE, 3)).astype("float32")
    assert np.isfinite(built.fit(images, np.arange(2), verbose=0).history["loss"]).all()


@given(
    st.lists(st.lists(st.integers(0, 10**6), min_size=1, max_size=12), min_size=1, max_size=5),
    st.floats(0.01, 1),
)
def test_one_threshold_for_all_layers_of_one_head(rows, keep):
    """Everything that stays is at least as important as what goes, but for a last one."""
    importances = {str(index): np.array([row], "float64") for index, row in enumerate(rows)}
    places = choose(importances, keep)
    total = sum(map(len, rows))
    assert sum(kept.size for kept in places.values()) == max(len(rows), round(keep * total))
    least = min(
        (importances[name][0, kept[0]].min() for name, kept in places.items() if kept.shape[1] > 1),
        default=np.inf,
    )
    for name, kept in places.items():
        assert np.all(np.diff(kept[0]) > 0)
        gone = np.delete(importances[name][0], kept[0])
        assert gone.size == 0 or gone.max() <= min(least, importances[name][0, kept[0]].min())


def test_heads_of_a_layer_keep_equally_many():
    places = choose({"a": np.array([[1.0, 9, 2], [8, 1, 7]]), "b": np.array([[3.0, 1]])}, 0.5)
    # One of each stays anyway, and of the one place that is left, two would be needed.
    assert {name: kept.tolist() for name, kept in places.items()} == {
        "a": [[1], [0]],
        "b": [[0]],
    }


@pytest.mark.parametrize("keep", [0, 1.5, "all"])
def test_bad_shares(keep):
    with pytest.raises(ValueError, match=r"`keep` must be in \(0, 1\]"):
        prune(PaleN(input_shape=(32, 32, 3)), keep)


def test_networks_without_scores():
    with pytest.raises(ValueError, match=r"`model` must have scores, .* Received: 'pale_n'"):
        prune(PaleN(input_shape=(32, 32, 3)), 0.5)
