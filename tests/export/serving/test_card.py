"""The model card: origin, scores and checksums."""

import hashlib
import json


def test_the_card_tells_origin_scores_and_checksums(exported, run):
    version, _ = exported
    extra = version / "assets.extra"
    card = json.loads((extra / "model_card.json").read_text())
    assert card["origin"]["seed"] == 3
    assert card["origin"]["recipe"]["dataset"] == "digits"
    digest = hashlib.sha256((run / "model.keras").read_bytes()).hexdigest()
    assert card["origin"]["sha256"] == digest
    assert card["test_scores"] == json.loads((run / "metrics.json").read_text())
    for name, file in card["files"].items():
        content = (version / name).read_bytes()
        assert len(content) == file["bytes"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
    assert {"saved_model.pb", "assets.extra/labels.txt"} <= set(card["files"])
    assert card["verification"]["missed"] == []
    page = (extra / "model_card.md").read_text()
    assert digest in page
    assert str(card["test_scores"]["test_accuracy"]) in page
