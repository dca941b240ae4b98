"""The model card: where an artifact is from, what it is worth, and how to tell it from another."""

import datetime
import hashlib
import importlib.metadata
import json
import platform

from common.files import write_json
from common.run_files import CONFIG, METRICS

PACKAGES = ("pale_tf", "tensorflow", "keras", "numpy")


def write_card(folder, trained, artifact, signatures, verification):
    """Writes `model_card.json` and `model_card.md`.

    Args:
        folder: Where to write them.
        trained: The `Trained` that was exported.
        artifact: Folder whose files the card lists, with sizes and checksums.
        signatures: Dict of texts: what each signature takes and gives.
        verification: What `verify` returned. It names the artifact as it was called then.

    Raises:
        WriteError: If they cannot be written.
    """
    network = trained.network
    card = {
        "name": network.name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "parameters": int(sum(weight.size for weight in network.get_weights())),
        "classes": len(trained.labels),
        "crop_fraction": trained.crop_fraction,
        "origin": origin(trained),
        "test_scores": _read(trained.folder / METRICS),
        "signatures": signatures,
        "verification": {k: v for k, v in verification.items() if k != "artifact"},
        "files": checksums(artifact),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
    }
    write_json(folder / "model_card.json", card)
    (folder / "model_card.md").write_text(as_markdown(card))


def origin(trained):
    """Path and checksum of the network, and what its run's configuration tells, if there is one."""
    config = _read(trained.folder / CONFIG) or {}
    kept = ("command", "recipe", "seed", "git_revision", "versions", "machine")
    return {
        "file": str(trained.file.resolve()),
        "sha256": checksum(trained.file),
        **{name: config[name] for name in kept if name in config},
    }


def checksums(folder):
    """Size and SHA-256 of every file below `folder`, by relative path."""
    return {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": checksum(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_markdown(card):
    """The card as a page to read."""
    origin = card["origin"]
    recipe = origin.get("recipe", {})
    lines = [
        f"# {card['name']}",
        "",
        f"A Pale Transformer with {card['parameters']:,} parameters for {card['classes']} classes, "
        f"exported on {card['created']}.",
        "",
        "## Origin",
        "",
        f"- network: `{origin['file']}`, SHA-256 `{origin['sha256']}`",
        f"- data: {recipe.get('dataset', 'not recorded')}",
        f"- seed: {origin.get('seed', 'not recorded')}, revision of the code: "
        f"{origin.get('git_revision', 'not recorded')}",
    ]
    scores = card["test_scores"] or {}
    lines += ["", "## Scores on the test images of its run", ""]
    lines += [f"- {name}: {value}" for name, value in scores.items()] or ["not recorded"]
    lines += ["", "## Signatures", ""]
    lines += [f"- `{name}`: {text}" for name, text in card["signatures"].items()]
    lines += ["", "## Differences from the network", ""]
    lines += [
        f"- `{name}`: at most {figures['error']:.1e}"
        for name, figures in card["verification"]["signatures"].items()
    ]
    lines += ["", "## Files", "", "| file | bytes | SHA-256 |", "|---|---|---|"]
    lines += [
        f"| {name} | {file['bytes']:,} | `{file['sha256']}` |"
        for name, file in card["files"].items()
    ]
    lines += ["", "Made with " + ", ".join(f"{k} {v}" for k, v in card["versions"].items()) + "."]
    return "\n".join(lines) + "\n"


def _read(path):
    return json.loads(path.read_text()) if path.exists() else None
