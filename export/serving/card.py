"""The model card: origin, scores and checksums of an artifact."""

import datetime
import hashlib
import json

from common.files import write_json
from common.preparation import crop_fraction_of
from common.run_files import METRICS, read_config
from common.versions import installed_versions

PACKAGES = ("tensorflow", "keras", "numpy", "openvino")


def make_extra(version, trained, task):
    """Makes the folder of a version for what is not the model, with the files of the task.

    Args:
        version: The version's folder.
        trained: The `Trained` that was exported.
        task: Its `Task`.

    Returns:
        The new folder.

    Raises:
        OSError: If it cannot be written.
    """
    extra = version / "assets.extra"
    extra.mkdir()
    for name, text in task.files(trained).items():
        (extra / name).write_text(text)
    return extra


def write_card(folder, trained, task, artifact, signatures, verification):
    """Writes `model_card.json` and `model_card.md`.

    Args:
        folder: Where to write them.
        trained: The `Trained` that was exported.
        task: Its `Task`, whose facts are more fields of the card.
        artifact: Folder whose files the card lists, with sizes and checksums.
        signatures: Dict of texts, what each signature takes and gives.
        verification: Result of `verify`. It names the artifact as it was called then.

    Raises:
        WriteError: If they cannot be written.
    """
    network, facts = trained.network, task.facts(trained)
    card = {
        "name": network.name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "parameters": int(sum(weight.size for weight in network.get_weights())),
        "task": trained.recipe["task"],
        **facts,
        "crop_fraction": crop_fraction_of(trained.recipe),
        "origin": origin(trained),
        "test_scores": _read(trained.folder / METRICS),
        "signatures": signatures,
        "verification": {k: v for k, v in verification.items() if k != "artifact"},
        "files": checksums(artifact),
        "versions": installed_versions(*PACKAGES),
    }
    write_json(folder / "model_card.json", card)
    (folder / "model_card.md").write_text(as_markdown(card, facts, task.formats))


def origin(trained):
    """Path and checksum of the network, and its run's configuration, if there is one."""
    config = read_config(trained.folder)
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


def as_markdown(card, facts, formats):
    """The card as a page to read; `facts` are its fields that the task wrote, and `formats` those
    of the task's figures."""
    origin = card["origin"]
    recipe = origin.get("recipe", {})
    lines = [
        f"# {card['name']}",
        "",
        f"A network with {card['parameters']:,} parameters, exported on {card['created']}.",
        "",
        f"- task: {card['task']}",
        *(f"- {name}: {value}" for name, value in facts.items()),
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
    for name, figures in card["verification"]["signatures"].items():
        known = {key: figures[key] for key in formats if figures.get(key) is not None}
        texts = [f"{key} {format(value, formats[key])}" for key, value in known.items()]
        lines.append(f"- `{name}`: {', '.join(texts)}")
    lines += ["", "## Files", "", "| file | bytes | SHA-256 |", "|---|---|---|"]
    lines += [
        f"| {name} | {file['bytes']:,} | `{file['sha256']}` |"
        for name, file in card["files"].items()
    ]
    lines += ["", "Made with " + ", ".join(f"{k} {v}" for k, v in card["versions"].items()) + "."]
    return "\n".join(lines) + "\n"


def _read(path):
    return json.loads(path.read_text()) if path.exists() else None
