"""Configurations that cannot be, each with an error that names the field."""

import dataclasses

import pytest

from pale_tf.configs import NETWORKS

PALE_T = NETWORKS["pale_t"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"depths": (2, 2)},
            r"`depths` must have one entry per stage, 3 or 4. Received: \(2, 2\)",
        ),
        ({"num_heads": (2, 4, 8, 15)}, "must be 1 or even.*num_heads=15"),
        ({"embed_dim": 63}, "must be even. Received: channels=63"),
        ({"depths": 2}, "`depths` must have one entry per stage, 3 or 4. Received: 2"),
        ({"depths": (1, 1, -1, 1)}, "`depths` must be a positive integer. Received: -1"),
        ({"num_heads": (0, 2, 4, 8)}, "`num_heads` must be a positive integer. Received: 0"),
        ({"embed_dim": 0}, "`embed_dim` must be a positive integer. Received: 0"),
        ({"pale_size": (7, 0)}, "`pale_size` must be a positive integer. Received: 0"),
        ({"mlp_ratio": "wide"}, "`mlp_ratio` must be positive, finite. Received: wide"),
        ({"mlp_ratio": 0}, "`mlp_ratio` must be positive, finite. Received: 0"),
        ({"mlp": "global"}, r"`mlp` must be one of \['local', 'plain'\]. Received: 'global'"),
        ({"share_attention": 0}, "`share_attention` must be a positive integer. Received: 0"),
        (
            {"share_attention": 2, "attention": "global"},
            "`share_attention` must be 1 for an attention .* Received: 2, with 'global'",
        ),
        (
            {"share_attention": 2, "attention": "pale_sequential"},
            "`share_attention` must be 1 .* the next block. Received: 2, with 'pale_sequential'",
        ),
        (
            {"share_attention": 2, "attention_options": {"keep": 0.5}},
            "`keep` must be 1 where blocks share attention weights",
        ),
        ({"keep_tokens": 0.0}, r"`keep_tokens` must be in \(0, 1\]. Received: 0.0"),
        ({"keep_tokens": (1, 1, 0.7)}, "`keep_tokens` must have one entry per stage, 4"),
        (
            {"keep_tokens": (1, 1, 0.7, 1), "mlp": "local"},
            "`keep_tokens` must be 1 with `mlp` 'local'",
        ),
        ({"token_scores": "random"}, "`token_scores` must be one of .* Received: 'random'"),
        ({"sparsity": -1.0}, "`sparsity` must be 0 or positive, finite. Received: -1.0"),
        ({"sparsity": 1e-4, "mlp": "local"}, "`sparsity` must be 0 with `mlp` 'local'"),
        ({"sparsity": 1e-4, "attention": "window"}, "the values of WindowAttention are not pruned"),
        ({"mlp_widths": (8, 8, 8, 8)}, "`mlp_widths` must be None or have an entry for each block"),
        ({"mlp_widths": (2, 2, 16, 2)}, "`mlp_widths` must be None or have an entry for each"),
        ({"value_dims": ((8, 8),) * 4}, r"`value_dims` must be None .* \(2, 2, 16, 2\)"),
        (
            {"mlp_widths": ((8, 8), (8, 8), (8,) * 16, (8, 0))},
            "`mlp_widths` must be a positive integer. Received: 0",
        ),
        ({"drop_path_rate": 1.0}, r"`drop_path_rate` must be in \[0, 1\). Received: 1.0"),
    ],
)
def test_bad_configs(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PALE_T, **change)
