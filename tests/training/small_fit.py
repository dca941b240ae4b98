"""fit.py whose recipe `digits` has a network that is traced and exported in half of the time.

For tests of what does not depend on the network.
"""

import dataclasses
import pathlib
import sys

if __name__ == "__main__":
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from common.runtime import import_tensorflow
from training import fit
from training.recipes import digits


def main(arguments):
    """fit.py's `main`; the recipe is changed for all of this process."""
    import_tensorflow()
    from pale_tf import PaleConfig

    small = PaleConfig("small", 16, (1, 1, 1, 1), (2, 2, 4, 4), pale_size=2, drop_path_rate=0.1)
    digits.RECIPE = dataclasses.replace(digits.RECIPE, model=small)
    fit.main(arguments)


if __name__ == "__main__":
    sys.argv[0] = "fit.py"
    main(sys.argv[1:])
