"""The shapes of the networks: `PaleConfig`, and one table of those that have a name, `NETWORKS`."""

import dataclasses

from pale_tf.config_checks import check_config


@dataclasses.dataclass(frozen=True)
class PaleConfig:
    """Everything that sets the shape of a Pale Transformer.

    Args:
        name: Name of the models built from this configuration.
        embed_dim: Channels of the first stage, `C`, which each later stage doubles; or those of
            each stage.
        depths: Number of blocks in each stage: of four, or of three, which gives a classifier or a
            backbone up to `P4`.
        num_heads: Attention heads in each stage. In Pale attention, half of them attend inside row
            groups, half inside column groups.
        pale_size: Rows and columns in a pale: an integer, or a pair `(rows, columns)`.
        mlp_ratio: Hidden width of the MLP over its input width.
        drop_path_rate: Stochastic depth rate of the last block, in `[0, 1)`; the rate rises
            linearly from 0 in the first block.
        attention: Name of an attention in `pale_tf.layers.attention.ATTENTIONS`, or one for each
            stage.
        attention_options: Further arguments of the attention layers, or a dict of them for each
            stage; they go before what the attention's paper sets for the stage.
        projection: How queries, keys and values are made: by `"separable"` convolutions or by
            `"linear"` layers.
        position: Position encoding: `"conditional"`, in every block; `"absolute"`, once, before the
            first block; or `"none"`.
        merging: Layers that open the stages: `"overlapping"` convolutions, or Swin's `"patch"`es.
        block: Name of a kind of block in `pale_tf.layers.blocks.BLOCKS`.
        mlp: Name of an MLP in `pale_tf.layers.mlps.MLPS`: `"plain"`, or LocalViT's `"local"`.
        share_attention: Blocks of a stage that share attention weights: of every so many neighbors,
            the first makes them, and the others have neither queries nor keys (Chen et al. 2021,
            PSViT). 1 for none.
        keep_tokens: Share of the tokens that the MLPs of a stage are spent on, in `(0, 1]`, or one
            for each stage; the others take one layer instead (Rao et al. 2022,
            DynamicViT). It needs the `"plain"` MLP.
        token_scores: How these tokens are found: by a small `"predictor"`, or by their `"norm"`.
        mlp_widths: Hidden units of the MLP of each block, a tuple for each stage, or
            None for `mlp_ratio` times the channels. `pale_tf.prune` makes such networks.
        value_dims: Likewise, the channels of the values of each head, or None for those of queries
            and keys.
        sparsity: Weight of the L1 norm of scores, in the loss: each hidden unit and each channel of
            the values has one, by which `pale_tf.prune` drops it (Zhu et al. 2021, VTP). 0 for no
            scores.

    Raises:
        ValueError: If a value is out of range, the stages are not three or four, or the heads of a
            stage do not divide its channels.
    """

    name: str
    embed_dim: int | tuple[int, ...]
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]
    pale_size: int | tuple[int, int] = 7
    mlp_ratio: int = 4
    drop_path_rate: float = 0.0
    attention: str | tuple[str, ...] = "pale"
    attention_options: dict | tuple[dict, ...] = dataclasses.field(default_factory=dict, hash=False)
    projection: str = "separable"
    position: str = "conditional"
    merging: str = "overlapping"
    block: str = "pale"
    mlp: str = "plain"
    share_attention: int = 1
    keep_tokens: float | tuple[float, ...] = 1.0
    token_scores: str = "predictor"
    mlp_widths: tuple | None = None
    value_dims: tuple | None = None
    sparsity: float = 0.0

    def __post_init__(self):
        for field in dataclasses.fields(self):  # a list would leave the configuration unhashable
            object.__setattr__(self, field.name, _frozen(getattr(self, field.name)))
        check_config(self)

    @property
    def stage_dims(self):
        """Channels of the stages: `(C, 2C, 4C, 8C)`, unless they are given."""
        if isinstance(self.embed_dim, tuple):
            return self.embed_dim
        return tuple(self.embed_dim * 2**stage for stage in self.stages)

    @property
    def stages(self):
        """Indices of the stages, a range from 0 on."""
        return range(len(self.depths))

    def of_stage(self, field, stage):
        """Value of a field that is given for all stages, or for each of them, at one of them.

        Args:
            field: Name of the field, such as `"attention"`.
            stage: Index of the stage, 0 to 3.
        """
        value = getattr(self, field)
        return value[stage] if isinstance(value, tuple) else value

    def narrowing(self, argument, stage, block):
        """Arguments of a layer of a block that make it narrower, or give it scores.

        Args:
            argument: `"width"` for the MLP, or `"value_dim"` for the attention.
            stage: Index of the stage, 0 to 3.
            block: Index of the block in its stage.

        Returns:
            Dict: nothing, for most configurations.
        """
        widths = self.mlp_widths if argument == "width" else self.value_dims
        arguments = {} if widths is None else {argument: widths[stage][block]}
        return {**arguments, "sparsity": self.sparsity} if self.sparsity else arguments


def resolve_config(config):
    """Finds the configuration that is meant.

    Args:
        config: A name in `NETWORKS`, a short name in `ALIASES`, or a `PaleConfig`.

    Returns:
        A `PaleConfig`.

    Raises:
        ValueError: If it is none of these.
    """
    if isinstance(config, PaleConfig):
        return config
    name = ALIASES.get(config, config) if isinstance(config, str) else None
    if name not in NETWORKS:
        raise ValueError(
            f"`config` must be a `PaleConfig` or one of {[*ALIASES, *NETWORKS]}. "
            f"Received: {config!r}"
        )
    return NETWORKS[name]


def _frozen(value):
    """Tuples for lists, and copies of dicts."""
    if isinstance(value, tuple | list):
        return tuple(map(_frozen, value))
    return dict(value) if isinstance(value, dict) else value


def check_four_stages(config):
    """Raises a `ValueError` unless a configuration has the four stages of a pyramid."""
    if len(config.depths) != 4:
        raise ValueError(
            f"`config` must have four stages. Received: {config.name!r}, with {len(config.depths)}"
        )


def _pale(name, embed_dim, num_heads, drop_path_rate):
    return PaleConfig(name, embed_dim, (2, 2, 16, 2), num_heads, drop_path_rate=drop_path_rate)


def _swin(name, embed_dim, depths, num_heads, drop_path_rate):
    return PaleConfig(
        name,
        embed_dim,
        depths,
        num_heads,
        drop_path_rate=drop_path_rate,
        attention="shifted_window",
        projection="linear",
        position="none",
        merging="patch",
    )


def _cswin(name, embed_dim, depths, num_heads, drop_path_rate):
    return PaleConfig(
        name,
        embed_dim,
        depths,
        num_heads,
        drop_path_rate=drop_path_rate,
        attention="cross_shaped",
        projection="linear",
        position="none",
    )


def _cvt(name, depths, num_heads, embed_dim):
    return PaleConfig(
        name,
        embed_dim,
        depths,
        num_heads,
        drop_path_rate=0.1,
        attention="global",
        attention_options={"stride": 2},
        position="none",
    )


# The networks by name.
#
# Pale: depths, channels and pale size are what gives the totals published by Wu et al. 2022: 22M,
# 48M and 85M parameters and 4.2, 9.0 and 15.6 GMACs at 224x224. The heads are the project's choice,
# and drop-path rates are those of CSWin's recipe, the closest published one. Pale-N is ours, for
# small images on small machines: a 32x32 image is an 8x8 map in the first stage; with pale size 2 a
# token sees 28 of its 64 tokens, so pales stay pales there.
#
# Swin (Liu et al. 2021) and CSWin (Dong et al. 2022): as their published code has them, in
# microsoft/Swin-Transformer, configs/, and microsoft/CSWin-Transformer, models/cswin.py and the
# commands in README.md. Published are 28M, 50M, 88M parameters and 4.5, 8.7, 15.4 GMACs of Swin;
# 23M, 35M, 78M and 4.3, 6.9, 15.0 of CSWin.
#
# CvT (Wu et al. 2021): depths, channels and heads of its table 2, with an average of all tokens in
# the place of a class token, and scores that are scaled by the channels of a head. Published are
# 20M parameters and 4.5 GMACs.
NETWORKS = {
    config.name: config
    for config in (
        PaleConfig("pale_n", 32, (1, 1, 4, 1), (2, 4, 8, 16), pale_size=2, drop_path_rate=0.1),
        _pale("pale_t", 64, (2, 4, 8, 16), 0.2),
        _pale("pale_s", 96, (2, 4, 8, 16), 0.4),
        _pale("pale_b", 128, (4, 8, 16, 32), 0.5),
        _swin("swin_t", 96, (2, 2, 6, 2), (3, 6, 12, 24), 0.2),
        _swin("swin_s", 96, (2, 2, 18, 2), (3, 6, 12, 24), 0.3),
        _swin("swin_b", 128, (2, 2, 18, 2), (4, 8, 16, 32), 0.5),
        _cswin("cswin_t", 64, (1, 2, 21, 1), (2, 4, 8, 16), 0.2),
        _cswin("cswin_s", 64, (2, 4, 32, 2), (2, 4, 8, 16), 0.4),
        _cswin("cswin_b", 96, (2, 4, 32, 2), (4, 8, 16, 32), 0.5),
        _cvt("cvt_13", (1, 2, 10), (1, 3, 6), (64, 192, 384)),
    )
}

# Short names of the Pale Transformers.
ALIASES = {"nano": "pale_n", "tiny": "pale_t", "small": "pale_s", "base": "pale_b"}
