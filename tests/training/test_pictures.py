"""Pictures of a run."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from training import pictures


@pytest.fixture
def figures(monkeypatch, tmp_path):
    """The figures that are drawn, before they are closed; and a path to draw to."""
    kept = []
    save = pictures._save

    def keep(figure, path):
        kept.append(figure)
        save(figure, path)

    monkeypatch.setattr(pictures, "_save", keep)
    yield kept, tmp_path / "picture.png"
    assert (tmp_path / "picture.png").stat().st_size > 1000
    assert not plt.get_fignums()  # nothing stays in memory


def test_curves_are_the_columns_of_the_history(figures):
    drawn, path = figures
    history = [
        {"epoch": "3", "loss": "4.0", "val_loss": "3.0", "accuracy": "0.5"},
        {"epoch": 4, "loss": 2.0, "val_loss": 1.0, "accuracy": 0.75},
    ]
    pictures.plot_curves(history, ("loss", "absent", "accuracy"), path)
    (figure,) = drawn
    lines = [[line.get_ydata() for line in axis.lines] for axis in figure.axes]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [3, 4])
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "accuracy"]
    np.testing.assert_array_equal(lines[0], [[4.0, 2.0], [3.0, 1.0]])
    np.testing.assert_array_equal(lines[1], [[0.5, 0.75]])
    assert all(tick == round(tick) for tick in figure.axes[0].get_xticks())


def test_many_curves_are_in_rows(figures):
    drawn, path = figures
    names = tuple("abcde")
    pictures.plot_curves([{"epoch": 1, **dict.fromkeys(names, 0.5)}], names, path)
    axes = drawn[0].axes
    assert [axis.get_ylabel() for axis in axes if axis.lines] == [*names]
    assert len({axis.get_subplotspec().get_gridspec().nrows for axis in axes} | {2}) == 1


@pytest.mark.parametrize(("classes", "named", "counted"), [(3, 3, 3), (30, 30, 0), (50, 0, 0)])
def test_confusion_is_drawn_in_shares_of_the_class(figures, classes, named, counted):
    drawn, path = figures
    matrix = np.diag(np.arange(classes))  # the first class does not occur
    pictures.plot_confusion(matrix, [f"name{index}" for index in range(classes)], path)
    axis = drawn[0].axes[0]
    shares = axis.images[0].get_array()
    np.testing.assert_array_equal(shares, np.diag([0.0] + [1.0] * (classes - 1)))
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert sum(label.startswith("name") for label in labels) == named
    assert len(axis.texts) == max(counted - 1, 0)


def test_dollar_signs_are_no_formulas(figures):
    drawn, path = figures
    names = ["$5_$10", "10$%", r"$\nothing$"]
    pictures.plot_confusion(np.eye(3), names, path)
    labels = [label.get_text() for label in drawn[0].axes[0].get_xticklabels()]
    assert labels == names
    pictures.plot_images([np.zeros((4, 4, 3))] * 3, names, path)


def test_images_stand_under_their_titles(figures):
    drawn, path = figures
    images = [np.full((4, 4, 3), value) for value in (-3.0, 10.7, 300.0, 4.0, 5.0, 6.0, 7.0)]
    pictures.plot_images(images, list("abcdefg"), path)
    axes = [axis for axis in drawn[0].axes if axis.images]
    assert [axis.get_title() for axis in axes] == list("abcdefg")
    values = [axis.images[0].get_array().max() for axis in axes]
    assert values == [0, 10, 255, 4, 5, 6, 7]


def test_pairs_of_pictures_stand_side_by_side(figures):
    kept, path = figures
    rng = np.random.default_rng(0)
    rows = [
        [rng.integers(0, 256, (20 + row, 30 - row, 3), "uint8") for _ in range(2)]
        for row in range(3)
    ]
    pictures.plot_pairs(rows, ("truth", "prediction"), path)
    axes = kept[0].axes
    assert [axis.get_title() for axis in axes] == 3 * ["truth", "prediction"] + ["", ""]
    for axis, picture in zip(axes, (picture for row in rows for picture in row), strict=False):
        np.testing.assert_array_equal(axis.images[0].get_array(), picture)
