"""Links and paths in the documents lead somewhere, and their lines are short."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FOLDERS = "pale_tf|common|training|export|benchmarks|tests|docs"


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.name)
def document(request):
    return request.param


def test_links_lead_to_files_and_headings(document):
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = document.parent / path if path else document
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_paths_are_those_of_the_tree(document):
    text = document.read_text()
    paths = re.findall(rf"`((?:{FOLDERS})/[\w./]*\w/?)`", text)
    if document.name == "architecture.md":
        paths += paths_of_layout(text)
    else:
        assert not re.search(r"benchmarks/\w+\.py ", text)  # they are run as modules
    named = [path for path in paths if not re.search(r"[A-Z]{4}", path)]  # NAME is any name
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_programs_of_the_benchmarks_are_listed():
    listed = (ROOT / "docs" / "benchmarks.md").read_text()
    sources = {path.stem: path.read_text() for path in ROOT.glob("benchmarks/*.py")}
    programs = {name for name, text in sources.items() if f"python -m benchmarks.{name}" in text}
    assert programs == set(re.findall(r"^\| `(\w+)` \|", listed, flags=re.MULTILINE))


def test_lines_are_short(document):
    text = re.sub(r"<!-- (\w+): begin -->.*?<!-- \1: end -->", "", document.read_text(), flags=re.S)
    assert [line for line in text.splitlines() if len(line) > 120] == []


def anchors(path):
    """Anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def paths_of_layout(text):
    """Files and folders named in the first block of docs/architecture.md."""
    (layout,) = re.findall(r"```\n(pale_tf/.*?)```", text, flags=re.DOTALL)
    paths, folder = [], ""
    for line in layout.splitlines():
        indent, names = re.match(r"( *)([^\s,]+(?:, [^\s,]+)*)", line).groups()
        if len(indent) > 2:
            continue
        folder = names if not indent else folder
        paths += [f"{folder}{name}" if indent else name for name in names.split(", ")]
    return paths
