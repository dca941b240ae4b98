"""docs/tour.ipynb: what is kept in the file, and that it still runs and shows the same."""

import copy
import os
import pathlib
import re

import nbclient
import nbformat
import pytest

from tests.conftest import ROOT

NOTEBOOK = ROOT / "docs" / "tour.ipynb"
SHOWN = {  # cells that print or draw, and whether they draw
    "regions": True,
    "cost": True,
    "folders": False,
    "fit": False,
    "finetune-run": False,
    "results": True,
    "predictions": True,
    "maps": True,
    "scenes": False,
    "segment-first": False,
    "segment-more": False,
    "segment-test": True,
    "export-run": False,
    "litert": False,
}
LARGEST = 1e6  # bytes of the file


@pytest.fixture(scope="module")
def kept():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_file_is_a_valid_and_small_notebook(kept):
    nbformat.validate(kept)
    assert NOTEBOOK.stat().st_size < LARGEST
    assert len({cell.id for cell in kept.cells}) == len(kept.cells)


def test_outputs_are_kept(kept):
    assert shown(kept) == SHOWN


def test_kept_outputs_are_clean(kept):
    for cell in code_cells(kept):
        assert cell.execution_count
        for output in cell.outputs:
            assert output.output_type in ("stream", "display_data", "execute_result")
            assert output.get("name") != "stderr"
        text = printed(cell)
        assert "\x1b" not in text  # colors and progress bars
        assert re.findall(r"/(?:tmp|home|root|work|usr|content)\b\S*", text) == []


def test_kept_results_hold(kept):
    check_results(kept)


def test_counts_grow_as_the_text_says(kept):
    (text,) = [cell.source for cell in kept.cells if cell.id == "cost-read"]
    stated = re.search(
        r"costs (\d+) times as much, pale\s+attention (\d+) times, and windows (\d+) times", text
    )
    rows = [line.split() for line in printed(cell_of(kept, "cost")).splitlines()[1:]]
    counts = {name: [float(count.replace(",", "")) for count in row] for name, *row in rows}
    for name, times in zip(("global", "pale", "shifted_window"), stated.groups(), strict=True):
        assert int(counts[name][-1] / counts[name][-2]) == int(times)


def test_links_lead_to_files_and_headings(kept):
    text = "\n".join(cell.source for cell in kept.cells if cell.cell_type == "markdown")
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    anchors = {heading.replace(" ", "-") for heading in headings}  # as Jupyter makes them
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert len(targets) > 10
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (NOTEBOOK.parent / target).exists(), target


def test_lines_are_short(kept):
    for cell in kept.cells:
        limit = 120 if cell.cell_type == "markdown" else 100
        assert [line for line in cell.source.splitlines() if len(line) > limit] == []


@pytest.mark.slow
def test_it_runs_and_shows_the_same(kept, tmp_path, monkeypatch):
    """Runs a copy that is in memory only, with temporary files in a folder of the test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    before = files_of_the_clone()
    fresh = copy.deepcopy(kept)
    for cell in code_cells(fresh):
        cell.outputs, cell.execution_count = [], None
    client = nbclient.NotebookClient(
        fresh, timeout=600, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.execute()  # raises if a cell does
    assert shown(fresh) == SHOWN
    assert pictures(fresh) == pictures(kept)
    assert printed(cell_of(fresh, "cost")) == printed(cell_of(kept, "cost"))
    assert printed(cell_of(fresh, "folders")) == printed(cell_of(kept, "folders"))
    check_results(fresh)
    (work,) = tmp_path.glob("*/tour_files")
    assert (work / "model.tflite").stat().st_size > 1e6
    assert files_of_the_clone() == before


def check_results(notebook):
    """Asserts what a reader is to see: that the networks have learned, and the export agrees."""
    text = {cell.id: printed(cell) for cell in code_cells(notebook)}
    assert float(re.findall(r"val_accuracy: (\S+)", text["fit"])[-1]) > 0.8
    assert "249 tensors loaded from base.keras" in text["finetune-run"]
    assert "frozen: stages [1, 2, 3]" in text["finetune-run"]
    random = re.search(
        r"From random weights, .* gives \S+ to (\S+) ", cell_of(notebook, "predict").source
    )
    assert float(re.search(r"test accuracy (\S+)", text["results"])[1]) > float(random[1])
    scores = dict(re.findall(r"union, (\w+): (\S+)", text["segment-test"]))
    assert set(scores) == {"background", "zero", "one"}
    assert float(scores["background"]) > 0.9
    assert min(map(float, scores.values())) > 0.5
    assert "written to model.tflite" in text["export-run"]
    assert float(re.search(r"largest difference .*: (\S+)", text["litert"])[1]) < 1e-4
    same, count = re.search(r"same class: (\d+) of (\d+)", text["litert"]).groups()
    assert same == count == "150"


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def cell_of(notebook, name):
    (cell,) = [cell for cell in notebook.cells if cell.id == name]
    return cell


def printed(cell):
    """Text that a cell printed to stdout; messages of libraries on stderr do not count."""
    streams = [output for output in cell.outputs if output.output_type == "stream"]
    return "".join(output.text for output in streams if output.name == "stdout")


def pictures(notebook):
    """Pictures of each code cell, by its name."""
    return {
        cell.id: sum("image/png" in output.get("data", {}) for output in cell.outputs)
        for cell in code_cells(notebook)
    }


def shown(notebook):
    """Cells that printed or drew, and whether they drew."""
    drawn = pictures(notebook)
    cells = code_cells(notebook)
    return {cell.id: drawn[cell.id] > 0 for cell in cells if printed(cell) or drawn[cell.id]}


def files_of_the_clone():
    """Files of the repository without those that Python and tests leave."""
    folders = [pathlib.Path(ROOT, name) for name in ("docs", "training", "export", "pale_tf")]
    return {
        path
        for folder in folders
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts and "node_modules" not in path.parts
    }
