"""Small checkpoints of Swin, with the names that transformers and timm give to their tensors."""

import json

import numpy as np
from safetensors.numpy import save_file

CONFIG = {
    "architectures": ["SwinForImageClassification"],
    "model_type": "swin",
    "embed_dim": 4,
    "depths": [1, 1, 2, 1],
    "num_heads": [1, 2, 4, 4],
    "window_size": 4,
    "image_size": 64,
    "id2label": {"0": "cat", "1": "dog", "2": "sea, calm"},
}


def swin_tensors(seed=0, classes=3):
    """Random tensors of a Swin of `CONFIG`, by the names of transformers 4 and of files of 5."""
    random, tensors = np.random.default_rng(seed), {}

    def add(name, *shape):
        tensors[f"{name}.weight"] = random.normal(0, 0.3, shape).astype("float32")
        tensors[f"{name}.bias"] = random.normal(0, 0.3, shape[:1]).astype("float32")

    add("swin.embeddings.patch_embeddings.projection", 4, 3, 4, 4)
    add("swin.embeddings.norm", 4)
    for stage, (depth, heads) in enumerate(zip(CONFIG["depths"], CONFIG["num_heads"], strict=True)):
        channels = 4 * 2**stage
        for block in range(depth):
            name = f"swin.encoder.layers.{stage}.blocks.{block}"
            for part in ("self.query", "self.key", "self.value", "output.dense"):
                add(f"{name}.attention.{part}", channels, channels)
            table = random.normal(0, 1, (49, heads)).astype("float32")
            tensors[f"{name}.attention.self.relative_position_bias_table"] = table
            index = np.zeros((16, 16), "int64")  # older files have it
            tensors[f"{name}.attention.self.relative_position_index"] = index
            add(f"{name}.layernorm_before", channels)
            add(f"{name}.layernorm_after", channels)
            add(f"{name}.intermediate.dense", 4 * channels, channels)
            add(f"{name}.output.dense", channels, 4 * channels)
        if stage < 3:
            name = f"swin.encoder.layers.{stage}.downsample"
            add(f"{name}.norm", 4 * channels)
            add(f"{name}.reduction", 2 * channels, 4 * channels)
            del tensors[f"{name}.reduction.bias"]
    add("swin.layernorm", 32)
    add("classifier", classes, 32)
    return tensors


def write_checkpoint(folder, tensors=None, config=CONFIG, preprocessor=None):
    """Writes the files of a checkpoint, and returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(swin_tensors() if tensors is None else tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    if preprocessor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder
