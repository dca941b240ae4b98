"""The shapes of the networks: `PaleConfig` and the variants of the paper, plus one nano of ours."""

import dataclasses

from pale_tf.checks import check_pair, check_positive_int, check_rate
from pale_tf.layers.attention import Place, make_attention
from pale_tf.layers.attention.base import PROJECTIONS

POSITIONS = ("conditional", "absolute", "none")
MERGINGS = ("overlapping", "patch")


@dataclasses.dataclass(frozen=True)
class PaleConfig:
    """Everything that sets the shape of a Pale Transformer.

    Args:
        name: Name of the models built from this configuration.
        embed_dim: Channels of the first stage, `C`. Each later stage doubles them.
        depths: Number of blocks in each of the four stages.
        num_heads: Attention heads in each of the four stages. In Pale attention, half of them
            attend inside row groups, half inside column groups.
        pale_size: Rows and columns in a pale: an integer, or a pair `(rows, columns)`.
        mlp_ratio: Hidden width of the MLP over its input width.
        drop_path_rate: Stochastic depth rate of the last block, in `[0, 1)`; the rate rises
            linearly from 0 in the first block.
        attention: Name of an attention in `pale_tf.layers.attention.ATTENTIONS`, or one for each of
            the four stages.
        attention_options: Further arguments of the attention layers, or a dict of them for each of
            the four stages; they go before what the attention's paper sets for the stage.
        projection: What makes queries, keys and values: `"separable"` convolutions or `"linear"`
            layers.
        position: Position encoding: `"conditional"`, in every block; `"absolute"`, once, before the
            first block; or `"none"`.
        merging: What opens the stages: `"overlapping"` convolutions, or Swin's `"patch"`es.

    Raises:
        ValueError: If a value is out of range, the stages are not four, or the heads of a stage do
            not divide its channels.
    """

    name: str
    embed_dim: int
    depths: tuple[int, int, int, int]
    num_heads: tuple[int, int, int, int]
    pale_size: int | tuple[int, int] = 7
    mlp_ratio: int = 4
    drop_path_rate: float = 0.0
    attention: str | tuple[str, str, str, str] = "pale"
    attention_options: dict | tuple[dict, dict, dict, dict] = dataclasses.field(
        default_factory=dict, hash=False
    )
    projection: str = "separable"
    position: str = "conditional"
    merging: str = "overlapping"

    def __post_init__(self):
        for field in dataclasses.fields(self):  # a list would leave the configuration unhashable
            object.__setattr__(self, field.name, _frozen(getattr(self, field.name)))
        check_positive_int("embed_dim", self.embed_dim)
        for field in ("depths", "num_heads"):
            value = getattr(self, field)
            if not isinstance(value, tuple | list) or len(value) != 4:
                raise ValueError(f"`{field}` must have one entry per stage, 4. Received: {value}")
            for entry in value:
                check_positive_int(field, entry)
        check_pair("pale_size", self.pale_size)
        options = self.attention_options
        for entry in options if isinstance(options, tuple) else (options,):
            if not isinstance(entry, dict):
                raise ValueError(f"`attention_options` must be a dict. Received: {entry!r}")
        if self.mlp_ratio <= 0:
            raise ValueError(f"`mlp_ratio` must be positive. Received: {self.mlp_ratio}")
        check_rate("drop_path_rate", self.drop_path_rate)
        for field, known in (
            ("projection", PROJECTIONS),
            ("position", POSITIONS),
            ("merging", MERGINGS),
        ):
            value = getattr(self, field)
            if value not in known:
                raise ValueError(f"`{field}` must be one of {known}. Received: {value!r}")
        for stage, channels in enumerate(self.stage_dims):
            for block in (0, 1):  # they may alternate
                self.make_attention(stage, block, name="check").check_channels(channels)

    def make_attention(self, stage, block, **options):
        """Makes the attention of a block.

        Args:
            stage: Index of the stage, 0 to 3.
            block: Index of the block in its stage.
            **options: Further arguments of the layer, such as its name.

        Returns:
            A `pale_tf.layers.attention.Attention`.
        """
        return make_attention(
            _of_stage("attention", self.attention, stage),
            Place(stage, block, self.pale_size),
            self.num_heads[stage],
            **{
                "projection": self.projection,
                **_of_stage("attention_options", self.attention_options, stage),
                **options,
            },
        )

    @property
    def stage_dims(self):
        """Channels of the four stages: `(C, 2C, 4C, 8C)`."""
        return tuple(self.embed_dim * 2**stage for stage in range(4))


def _frozen(value):
    """Tuples for lists, and copies of dicts."""
    if isinstance(value, tuple | list):
        return tuple(map(_frozen, value))
    return dict(value) if isinstance(value, dict) else value


def _of_stage(argument, value, stage):
    """What is given for all stages, or for each of them, at one of them."""
    if not isinstance(value, tuple | list):
        return value
    if len(value) != 4:
        raise ValueError(f"`{argument}` must have one entry per stage, 4. Received: {value}")
    return value[stage]


# Depths, channels and pale size are what gives the totals published by Wu et al. 2022: 22M, 48M and
# 85M parameters and 4.2, 9.0 and 15.6 GMACs at 224x224. The heads are the project's choice, and
# drop-path rates are those of CSWin's recipe, the closest published one.
PALE_T = PaleConfig("pale_t", 64, (2, 2, 16, 2), (2, 4, 8, 16), drop_path_rate=0.2)
PALE_S = PaleConfig("pale_s", 96, (2, 2, 16, 2), (2, 4, 8, 16), drop_path_rate=0.4)
PALE_B = PaleConfig("pale_b", 128, (2, 2, 16, 2), (4, 8, 16, 32), drop_path_rate=0.5)

# Ours, not the paper's: for small images on small machines. A 32x32 image is an 8x8 map in the
# first stage; with pale size 2 a token sees 28 of its 64 tokens, so pales stay pales there.
PALE_N = PaleConfig("pale_n", 32, (1, 1, 4, 1), (2, 4, 8, 16), pale_size=2, drop_path_rate=0.1)

# Swin-T and CSWin-T as configurations of this backbone, for comparison. Both papers give them 28.3M
# and 23M parameters, and 4.5 and 4.3 GMACs.
SWIN_T = PaleConfig(
    "swin_t",
    96,
    (2, 2, 6, 2),
    (3, 6, 12, 24),
    drop_path_rate=0.2,
    attention="shifted_window",
    projection="linear",
    position="none",
    merging="patch",
)
CSWIN_T = PaleConfig(
    "cswin_t",
    64,
    (1, 2, 21, 1),
    (2, 4, 8, 16),
    drop_path_rate=0.2,
    attention="cross_shaped",
    projection="linear",
    position="none",
)

VARIANTS = {"nano": PALE_N, "tiny": PALE_T, "small": PALE_S, "base": PALE_B}
