"""Tables on the screen and in documents."""

from rich import box
from rich.console import Console
from rich.table import Table

from common.files import replacing


def print_table(rows, title=None):
    """Prints a table that is no wider than it must be: headings break before cells do.

    Args:
        rows: Lists of texts, the headings first. The first column is aligned to the left.
        title: Text above the table, or None.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for index, (heading, *cells) in enumerate(zip(*rows, strict=True)):
        table.add_column(
            heading,
            justify="right" if index else "left",
            min_width=max(map(len, cells), default=0),
        )
    for row in rows[1:]:
        table.add_row(*row)
    console = Console(markup=False, highlight=False)
    if title:
        console.print(title)
    console.print(table, "")


def markdown(rows):
    """A table as lines of Markdown; the headings are the first row."""
    headings = [heading.replace("\n", " ") for heading in rows[0]]
    lines = [headings, ["---"] * len(headings), *rows[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def replace_part(document, name, text):
    """Replaces the part of a document between its marks `<!-- NAME: begin -->` and `end`."""
    begin, end = (f"<!-- {name}: {word} -->\n" for word in ("begin", "end"))
    before, rest = document.read_text().split(begin)
    after = rest.split(end)[1]
    with replacing(document) as temporary:
        temporary.write_text(f"{before}{begin}{text}{end}{after}")
