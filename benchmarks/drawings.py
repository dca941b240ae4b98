"""Accuracy of networks on drawings made from templates of strokes, prepared as in the page.

python -m benchmarks.drawings RUN…                # prints a table
python -m benchmarks.drawings RUN… --json FILE    # and writes every answer
python -m benchmarks.drawings RUN… --sheet FILE   # and shows the drawings, on red if taken wrongly

RUN is the folder of a run on the digits; its last weights and their average are tried. No network
sees such drawings (benchmarks/hands.py) in training.
"""

import numpy as np
from PIL import Image

from benchmarks.hands import SHAPES, make_drawings
from benchmarks.tables import print_table
from benchmarks.timing import origin
from common.cli import Parser, natural_int, new_file, positive_int, run_folder
from common.files import replacing, write_json
from common.preparation import evaluation_image
from common.run_files import EMA_MODEL, MODEL
from common.trained import load_network
from training.datasets.digits.drawing import prepare

CELL = 72  # pixels of a drawing on the sheet
RED = (150, 20, 20)


def main(argv=None):
    flags = parse_flags(argv)
    drawings, digits, shapes = make_drawings(flags.seed, flags.per_digit)
    images = network_images(np.stack([prepare(drawing) for drawing in drawings]))
    answers = {
        str(path): load_network(path).predict(images, verbose=0).argmax(1)
        for run in flags.runs
        for path in (run / MODEL, run / EMA_MODEL)
        if path.exists()
    }
    print_table(table_rows(answers, digits), f"{len(digits)} drawings, {flags.per_digit} a digit")
    if flags.sheet:
        first = next(iter(answers.values()))
        with replacing(flags.sheet) as temporary:
            draw_sheet(drawings, first == digits, flags.per_digit).save(temporary)
    if flags.json:
        result = {
            "seed": flags.seed,
            "digits": digits.tolist(),
            "shapes": shapes,
            "accuracy": {name: float(np.mean(a == digits)) for name, a in answers.items()},
            "answers": {name: a.tolist() for name, a in answers.items()},
        }
        write_json(flags.json, result | origin())


def parse_flags(argv):
    parser = Parser(__doc__.split("\n")[0])
    parser.add_argument("runs", metavar="RUN", nargs="+", type=run_folder)
    parser.add_argument("--seed", type=natural_int, default=0, help="(default: %(default)s)")
    parser.add_argument("--per-digit", type=positive_int, default=20, help="(default: %(default)s)")
    parser.add_argument("--json", type=new_file, help="also write the answers to this file")
    parser.add_argument("--sheet", type=new_file, help="also draw the drawings in this PNG file")
    return parser.parse_args(argv)


def network_images(prepared):
    """The network's input, float32 `[N, 32, 32, 3]`, of prepared drawings, uint8 `[N, 8, 8]`."""
    return np.stack([evaluation_image(image[..., None], 32) for image in prepared])


def table_rows(answers, digits):
    """Heading and rows of the table: share of right answers, and their number for each digit."""
    rows = [["", "right", *SHAPES]]
    for name, given in answers.items():
        right = given == digits
        each = [f"{right[digits == digit].sum()}" for digit in range(10)]
        rows.append([name, f"{right.mean():.3f}", *each])
    return rows


def draw_sheet(drawings, right, per_digit):
    """Draws all drawings, a digit a row, on black or, what was not recognized, on red.

    Args:
        drawings: uint8 `[10 · per_digit, H, W]`.
        right: bool `[10 · per_digit]`.
        per_digit: Drawings in a row.

    Returns:
        A `PIL.Image.Image`.
    """
    sheet = Image.new("RGB", (per_digit * CELL, len(SHAPES) * CELL), "gray")
    for index, (drawing, known) in enumerate(zip(drawings, right, strict=True)):
        ink = Image.fromarray(drawing).resize((CELL - 2, CELL - 2))
        cell = Image.composite(
            Image.new("RGB", ink.size, "white"),
            Image.new("RGB", ink.size, "black" if known else RED),
            ink,
        )
        row, column = divmod(index, per_digit)
        sheet.paste(cell, (column * CELL + 1, row * CELL + 1))
    return sheet


if __name__ == "__main__":
    main()
