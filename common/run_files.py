"""Names of those files of a run that more than one program knows."""

CALIBRATION = "calibration"  # a folder of images
CONFIG = "config.json"
EMA_MODEL = "model_ema.keras"
LABELS = "labels.txt"
METRICS = "metrics.json"
MODEL = "model.keras"
