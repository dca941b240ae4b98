"""The network of a recipe."""

from common.errors import SettingError
from pale_tf.models import pale_network
from pale_tf.weights import load_weights


def make_network(recipe, classes, weights=None):
    """Builds the network of `recipe`. Call it in the strategy's scope.

    Args:
        recipe: A `Recipe`.
        classes: Number of classes.
        weights: Path of a weights file of the same variant, for fine-tuning, or None.

    Returns:
        A `keras.Model` of images in 0..255 to probabilities; and the `WeightsReport`, or None.

    Raises:
        SettingError: If the weights are not those of this variant.
    """
    options = {}
    if recipe.drop_path_rate is not None:
        options["drop_path_rate"] = recipe.drop_path_rate
    network = pale_network(
        recipe.model,
        input_shape=(recipe.image_size, recipe.image_size, 3),
        classes=classes,
        **options,
    )
    if weights is None:
        return network, None
    try:
        return network, load_weights(network, weights)
    except ValueError as error:
        raise SettingError(" ".join(str(error).split())) from error
