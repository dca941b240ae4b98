"""How evaluation scales and crops an image."""

import numpy as np
import pytest

from common.preparation import evaluation_image


@pytest.mark.parametrize("shape", [(64, 64, 3), (50, 90, 3), (91, 37, 1), (1, 1, 1)])
@pytest.mark.parametrize("fraction", [1.0, 0.8])
def test_keeps_the_center_and_the_proportions(shape, fraction):
    """A ramp along each axis is still a ramp of the same slope, around the same middle."""
    height, width, channels = shape
    image = np.stack(np.indices((height, width)), axis=-1)[..., :channels].astype("float32")
    if channels == 3:
        image = np.concatenate([image, np.zeros((height, width, 1))], axis=-1)
    if channels == 1:
        image = image[..., :1]
    result = evaluation_image(image.astype("float32"), 16, fraction).numpy()
    assert result.shape == (16, 16, 3)
    scale = min(height, width) / 16 * fraction
    for axis in range(min(2, channels)):
        profile = result[..., axis].mean(1 - axis)
        assert profile.mean() == pytest.approx((shape[axis] - 1) / 2, abs=max(scale, 0.5))
        if scale > 1:
            np.testing.assert_allclose(np.diff(profile)[4:-4], scale, rtol=0.08)
