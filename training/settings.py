"""Settings of a run that are no matter of the recipe."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """Settings of a run that do not change what a recipe stands for: where, on what, how often.

    Args:
        recipe: Name of the recipe, for the record.
        out: Folder of the run.
        seed: Seed of everything random.
        strategy: `none`, `mirrored` or `multi_worker`.
        cpu_replicas: Replicas that `mirrored` makes of the CPU where there is no GPU.
        wait: Seconds for the other workers of `multi_worker` to start.
        weights: `.keras` or `.weights.h5` file to start from, or None.
        data_dir: Folder of TFDS data sets, or None for TFDS' own.
        checkpoint_every: Steps between checkpoints.
        keep_checkpoints: Number of checkpoints to keep, the last ones.
        max_unreadable: Number of images that may be unreadable before the run ends.
        jit: Whether XLA compiles the step.
        steps_per_execution: Steps that TensorFlow runs without Python between them.
        rematerialize: Stages, of 1 to 4, that compute again in the backward pass what takes most
            memory.
    """

    recipe: str
    out: pathlib.Path
    seed: int = 0
    strategy: str = "none"
    cpu_replicas: int = 1
    wait: int = 300
    weights: pathlib.Path | None = None
    data_dir: pathlib.Path | None = None
    checkpoint_every: int = 1000
    keep_checkpoints: int = 3
    max_unreadable: int = 100
    jit: bool = False
    steps_per_execution: int = 1
    rematerialize: tuple[int, ...] = ()
