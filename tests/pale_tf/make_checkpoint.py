"""Makes a checkpoint of random weights with PyTorch, and what its network makes of random images:
`python make_checkpoint.py FOLDER NETWORK HEIGHTxWIDTH...`.

NETWORK is `swin_t`, `swin_s`, `swin_b`, `swin_odd`, `swin_features`, `upernet` or `upernet_odd`, of
transformers, or `timm`. FOLDER gets what `save_pretrained` writes, and `expected.npz`: for each
size the images, the logits (of UPerNet, those of the main and of the auxiliary head, joined; of
`swin_features`, the last map) and the outputs of the stages, channels last.
"""

import json
import pathlib
import sys

import numpy as np
import torch

SHAPES = {
    "swin_t": {},
    "swin_s": {"depths": [2, 2, 18, 2]},
    "swin_b": {"depths": [2, 2, 18, 2], "embed_dim": 128, "num_heads": [4, 8, 16, 32]},
    "swin_odd": {
        "window_size": 4,
        "depths": [1, 1, 2, 1],
        "embed_dim": 4,
        "num_heads": [1, 2, 4, 4],
    },
}
SHAPES |= {
    "swin_features": SHAPES["swin_odd"],
    "upernet": SHAPES["swin_t"],
    "upernet_odd": SHAPES["swin_odd"],
}
STAGES = ["stage1", "stage2", "stage3", "stage4"]
PREPROCESSOR = {
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "size": {"height": 224, "width": 224},
}


def randomize(model):
    """Gives other values to what starts from zeros or ones."""
    for name, parameter in model.named_parameters():
        if "position_bias_table" in name:
            torch.nn.init.normal_(parameter)
        elif parameter.ndim == 1:
            low, high = (0.5, 1.5) if name.endswith("weight") else (-0.3, 0.3)
            torch.nn.init.uniform_(parameter, low, high)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            torch.nn.init.normal_(buffer, 0.0, 0.3)
        elif name.endswith("running_var"):
            torch.nn.init.uniform_(buffer, 0.5, 2.0)
    return model.eval().requires_grad_(False)


def transformers_network(name):
    import transformers

    options = {**SHAPES[name], "initializer_range": 0.05}
    if name.startswith("upernet"):
        backbone = transformers.SwinConfig(**options, out_features=STAGES)
        head = {"num_labels": 7, "hidden_size": 16, "auxiliary_channels": 8}
        head = {"num_labels": 150} if name == "upernet" else head
        config = transformers.UperNetConfig(backbone_config=backbone, **head)
        return transformers.UperNetForSemanticSegmentation(config)
    config = transformers.SwinConfig(**options, num_labels=11)
    if name == "swin_features":
        return transformers.SwinModel(config)
    return transformers.SwinForImageClassification(config)


def save_transformers(folder, name):
    """Writes a checkpoint; returns a function of images to logits and outputs of stages."""
    torch.manual_seed(0)
    network = randomize(transformers_network(name))
    network.save_pretrained(folder)
    size = {"height": 512, "width": 512} if "upernet" in name else PREPROCESSOR["size"]
    preprocessor = json.dumps({**PREPROCESSOR, "size": size})
    (folder / "preprocessor_config.json").write_text(preprocessor)

    def outputs(images):
        # Anew: a Swin of transformers that has seen a small map keeps the smaller window.
        network = transformers_network(name).eval().requires_grad_(False)
        network = type(network).from_pretrained(folder).eval()
        with torch.no_grad():
            if "upernet" in name:
                stages = network.backbone(images).feature_maps
                auxiliary = torch.nn.functional.interpolate(
                    network.auxiliary_head(stages), images.shape[2:], mode="bilinear"
                )
                return torch.cat([network(images).logits, auxiliary], 1), stages
            options = {
                "output_hidden_states": True,
                "output_hidden_states_before_downsampling": True,
            }
            swin = getattr(network, "swin", network)
            found = swin(images, **options)
            stages = found.reshaped_hidden_states[1:]
            if name == "swin_features":
                last = found.last_hidden_state.transpose(1, 2)
                return last.reshape(stages[-1].shape), stages
            return network.classifier(found.pooler_output), stages

    return outputs


def save_timm(folder, size):
    """As `save_transformers`, for a network of timm, which is built for one size of images."""
    import timm

    torch.manual_seed(0)
    name = "swin_tiny_patch4_window7_224"
    network = randomize(timm.create_model(name, num_classes=11, img_size=size))
    timm.models.save_for_hf(network, folder, safe_serialization=True)

    def outputs(images):
        stages = []
        for layer in network.layers:
            layer.register_forward_hook(lambda *call: stages.append(call[2].permute(0, 3, 1, 2)))
        with torch.no_grad():
            return network(images), stages

    return outputs


def main(folder, name, *sizes):
    folder, expected = pathlib.Path(folder), {}
    sizes = [tuple(map(int, size.split("x"))) for size in sizes]
    save = save_timm if name == "timm" else save_transformers
    outputs = save(folder, sizes[0] if name == "timm" else name)
    mean, deviation = (np.array(PREPROCESSOR[key]) * 255 for key in ("image_mean", "image_std"))
    for size in sizes:
        images = np.random.default_rng(0).uniform(0, 255, (2, *size, 3)).astype("float32")
        normalized = ((images - mean) / deviation).astype("float32")
        logits, stages = outputs(torch.tensor(normalized.transpose(0, 3, 1, 2)))
        values = {"logits": logits, **dict(zip(STAGES, stages, strict=True))}
        for key, value in values.items():
            array = value.numpy()
            array = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
            expected[f"{size[0]}x{size[1]}/{key}"] = np.ascontiguousarray(array)
    np.savez_compressed(folder / "expected.npz", **expected)


if __name__ == "__main__":
    main(*sys.argv[1:])
