"""The constants of the norms. The paper gives none; these are PyTorch's defaults, which Swin, CvT
and CSWin use (Keras' own differ)."""

LAYER_NORM_EPSILON = 1e-5
BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_MOMENTUM = 0.9
