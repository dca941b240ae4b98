"""The README's Python runs as it stands, and its numbers are the counted ones."""

import json
import pathlib
import re

import pytest

from pale_tf.configs import ALIASES, NETWORKS

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.filterwarnings("ignore:.*tensors loaded from:UserWarning")
def test_python_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 5
    names = {}
    for block in blocks:
        exec(block, names)
    assert names["probabilities"].shape == (2, 1000)
    assert names["scores"].shape == (1, 97, 161, 3)
    assert names["objects"]["masks"].shape == (1, 100, 28, 28)
    assert names["finer"].input_shape == (None, 192, 320, 3)
    (comment,) = re.findall(r"^# (\{'P2'.*)$", README, flags=re.MULTILINE)
    assert comment in capsys.readouterr().out


def test_the_first_two_blocks_are_the_two_commands():
    blocks = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
    assert [language for language, _ in blocks[:2]] == ["bash", "bash"]
    (_, main_job), (_, tests) = blocks[:2]
    assert main_job.rstrip().endswith("python training/fit.py --strategy mirrored")
    assert tests.rstrip().endswith("python -m pytest")
    assert all(len(block.splitlines()) == 1 for block in (main_job, tests))


@pytest.mark.parametrize("variant", ALIASES)
def test_the_table_of_variants_holds_the_counts(variant):
    counts = json.loads((ROOT / "benchmarks" / "results" / "complexity.json").read_text())
    (row,) = [row for row in counts["networks"] if row["network"] == ALIASES[variant]]
    (line,) = [line for line in README.splitlines() if line.startswith("| `") and variant in line]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    config = NETWORKS[ALIASES[variant]]
    assert cells[2:6] == [
        ", ".join(map(str, values))
        for values in (config.stage_dims, config.depths, config.num_heads, (config.pale_size,))
    ]
    assert cells[6] == f"{row['params']['total'] / 1e6:.2f}M"
    assert cells[7] == f"{row['macs']['total'] / 1e9:.2f}"
