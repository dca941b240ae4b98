"""The shapes of the networks: `PaleConfig` and the variants of the paper, plus one nano of ours."""

import dataclasses
import numbers
import operator


@dataclasses.dataclass(frozen=True)
class PaleConfig:
    """Everything that sets the shape of a Pale Transformer.

    Args:
        name: Name of the models built from this configuration.
        embed_dim: Channels of the first stage, `C`. Each later stage doubles them.
        depths: Number of blocks in each of the four stages.
        num_heads: Attention heads in each of the four stages; half of them attend inside row
            groups, half inside column groups.
        pale_size: Rows and columns in a pale: an integer, or a pair `(rows, columns)`.
        mlp_ratio: Hidden width of the MLP over its input width.
        drop_path_rate: Stochastic depth rate of the last block, in `[0, 1)`; the rate rises
            linearly from 0 in the first block.

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

    def __post_init__(self):
        check_positive_int("embed_dim", self.embed_dim)
        for field in ("depths", "num_heads"):
            value = getattr(self, field)
            if not isinstance(value, tuple | list) or len(value) != 4:
                raise ValueError(f"`{field}` must have one entry per stage, 4. Received: {value}")
            for entry in value:
                check_positive_int(field, entry)
        check_pale_size(self.pale_size)
        if self.mlp_ratio <= 0:
            raise ValueError(f"`mlp_ratio` must be positive. Received: {self.mlp_ratio}")
        for channels, heads in zip(self.stage_dims, self.num_heads, strict=True):
            check_heads(channels, heads, halves=2)
        check_rate("drop_path_rate", self.drop_path_rate)

    @property
    def stage_dims(self):
        """Channels of the four stages: `(C, 2C, 4C, 8C)`."""
        return tuple(self.embed_dim * 2**stage for stage in range(4))


def check_heads(channels, num_heads, halves):
    """Checks that heads divide channels, and says how many heads each half gets.

    Args:
        channels: Channels of the feature map.
        num_heads: Heads over all channels.
        halves: 2 if the channels are split between rows and columns (the parallel form), else 1.

    Returns:
        Heads per half. A half always keeps at least one, so `num_heads=1` gives one to each.

    Raises:
        ValueError: If the channels or the heads do not divide evenly.
    """
    if channels % halves:
        raise ValueError(
            "The parallel form splits the channels into two halves, so their number must be even. "
            f"Received: channels={channels}"
        )
    if num_heads > 1 and num_heads % halves:
        raise ValueError(
            "`num_heads` must be 1 or even, to be split over the row half and the column half. "
            f"Received: num_heads={num_heads}"
        )
    heads = max(1, num_heads // halves)
    if (channels // halves) % heads:
        raise ValueError(
            f"`num_heads` must divide the channels: {heads} head(s) do not divide the "
            f"{channels // halves} channels they share. "
            f"Received: num_heads={num_heads}, channels={channels}"
        )
    return heads


def check_pale_size(pale_size):
    """Returns `(rows, columns)` of a pale size given as a positive integer or a pair of them."""
    pair = tuple(pale_size) if isinstance(pale_size, tuple | list) else (pale_size, pale_size)
    if len(pair) != 2:
        raise ValueError(f"`pale_size` must be an integer or a pair. Received: {pale_size!r}")
    return tuple(check_positive_int("pale_size", size) for size in pair)


def check_positive_int(argument, value):
    """Returns `value`, any kind of integer, as an `int`; a `ValueError` names `argument` if it is
    less than 1 or no integer."""
    try:
        number = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"`{argument}` must be a positive integer. Received: {value!r}")
    return number


def check_rate(argument, rate):
    """Raises a `ValueError` that names `argument` unless `rate` is in `[0, 1)`."""
    if not isinstance(rate, numbers.Real) or not 0.0 <= rate < 1.0:
        raise ValueError(f"`{argument}` must be in [0, 1). Received: {rate!r}")


# Depths, channels and pale size are what gives the totals published by Wu et al. 2022: 22M, 48M and
# 85M parameters and 4.2, 9.0 and 15.6 GMACs at 224x224. The heads are the project's choice, and
# drop-path rates are those of CSWin's recipe, the closest published one.
PALE_T = PaleConfig("pale_t", 64, (2, 2, 16, 2), (2, 4, 8, 16), drop_path_rate=0.2)
PALE_S = PaleConfig("pale_s", 96, (2, 2, 16, 2), (2, 4, 8, 16), drop_path_rate=0.4)
PALE_B = PaleConfig("pale_b", 128, (2, 2, 16, 2), (4, 8, 16, 32), drop_path_rate=0.5)

# Ours, not the paper's: for small images on small machines. A 32x32 image is an 8x8 map in the
# first stage; with pale size 2 a token sees 28 of its 64 tokens, so pales stay pales there.
PALE_N = PaleConfig("pale_n", 32, (1, 1, 4, 1), (2, 4, 8, 16), pale_size=2, drop_path_rate=0.1)

VARIANTS = {"nano": PALE_N, "tiny": PALE_T, "small": PALE_S, "base": PALE_B}
