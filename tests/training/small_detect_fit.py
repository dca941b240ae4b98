"""fit.py whose recipe `detect_folder` has a network that is traced in seconds.

For tests of what does not depend on the network.
"""

import dataclasses
import pathlib
import sys

if __name__ == "__main__":
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from common.runtime import import_tensorflow
from training import fit
from training.recipes import detect_folder


def main(arguments):
    """fit.py's `main`; the recipe is changed for all of this process."""
    import_tensorflow()
    from pale_tf import PaleConfig

    recipe = detect_folder.RECIPE
    small = PaleConfig("small", 16, (1, 1, 1, 1), (2, 2, 4, 4), pale_size=2, drop_path_rate=0.1)
    sides = {"short_sides": [48, 64], "long_side": 96, "regions": 16, "channels": 16}
    detect_folder.RECIPE = dataclasses.replace(
        recipe,
        model=small,
        image_size=64,
        epochs=2,
        batch_size=4,
        drop_path_rate=None,
        settings=recipe.settings | sides,
    )
    fit.main(["--recipe", "detect_folder", *arguments])


if __name__ == "__main__":
    sys.argv[0] = "fit.py"
    main(sys.argv[1:])
