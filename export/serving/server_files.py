"""Files that a TF Serving server is started with, in the folder that holds all its models."""

import re

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from common.errors import SettingError, WriteError
from common.files import replacing
from common.locks import locked
from export.serving.versions import version_numbers
from export.verification.running import SAVED_MODEL_FILE

MODELS_CONFIG = "models.config"
BATCHING = "batching_parameters.txt"
MONITORING = "monitoring.config"
COMPOSE = "docker-compose.yml"

# A request waits this long for others to share its batch.
BATCH_TIMEOUT_MICROS = 2000
MAX_ENQUEUED_BATCHES = 100

# The server's environment. On CPUs, oneDNN then packs the weights for its products once instead of
# for every request, because the weights of a served version never change.
ENVIRONMENT = {"TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1"}

MONITORING_TEXT = """\
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""

ENVIRONMENT_TEXT = "\n".join(f'      {name}: "{value}"' for name, value in ENVIRONMENT.items())

COMPOSE_TEXT = f"""\
# Starts TF Serving on all models of this folder: docker compose up
# gRPC: port 8500. REST and metrics: port 8501, /v1/models/NAME, /monitoring/prometheus/metrics
services:
  serving:
    image: ${{TF_SERVING_IMAGE:-tensorflow/serving:latest}}
    restart: unless-stopped
    environment:  # on CPUs: weights are packed for products once, and not for every request
{ENVIRONMENT_TEXT}
    ports:
      - "8500:8500"
      - "8501:8501"
    volumes:
      - .:/models:ro
    command:
      - --model_config_file=/models/{MODELS_CONFIG}
      - --model_config_file_poll_wait_seconds=60
      - --enable_batching=true
      - --batching_parameters_file=/models/{BATCHING}
      - --monitoring_config_file=/models/{MONITORING}
      # On CPUs under load, more requests are served with a core for each:
      # - --tensorflow_intra_op_parallelism=1
"""


def write_server_files(folder, batches):
    """Writes `models.config`, with every model of `folder` that has a version, and three more.

    Those stay as they are if they are there, for people edit them.

    Args:
        folder: The folder that holds a folder for each model.
        batches: Batch sizes that the server may form.

    Raises:
        WriteError: If that is not possible.
    """
    texts = {
        BATCHING: batching_parameters(batches),
        MONITORING: MONITORING_TEXT,
        COMPOSE: COMPOSE_TEXT,
    }
    write_texts(folder, texts, MODELS_CONFIG, models_config)


def write_texts(folder, edited, listing, make_listing):
    """Writes files into the folder of a server's models.

    Args:
        folder: The folder.
        edited: Dict of texts by the name of a file. One that is there stays, for people edit it.
        listing: Name of the file that lists the models.
        make_listing: Function of the folder to its text.

    Raises:
        WriteError: If that is not possible.
    """
    try:
        with locked(folder):  # of several exports at once, the last one must see all models
            texts = {name: text for name, text in edited.items() if not (folder / name).exists()}
            for name, text in {**texts, listing: make_listing(folder)}.items():
                with replacing(folder / name) as path:
                    path.write_text(text)
    except OSError as error:
        raise WriteError(f"cannot write the server's files in {folder}: {error}") from error


def choose_batches(folder, largest, default):
    """The batch sizes for the models of a folder.

    Args:
        folder: The folder that holds a folder for each model.
        largest: Images in the largest batch, or None for what the folder has, or `default`.
        default: Images in the largest batch where the folder has none.

    Returns:
        Powers of 2 up to the largest, and the largest.

    Raises:
        SettingError: If the folder has another one.
    """
    path, own = folder / BATCHING, None
    if path.exists():
        own = _largest_batch(path)
    if largest is not None and own not in (None, largest):
        raise SettingError(
            f"argument --max-batch: {path} has {own}, for all models there. Received: {largest}"
        )
    largest = largest or own or default
    sizes = [2**power for power in range(largest.bit_length())]
    return sizes if sizes[-1] == largest else [*sizes, largest]


def _largest_batch(path):
    """The largest batch that a file of batching parameters, which people edit, allows."""
    text = path.read_text(errors="replace")
    found = re.search(r"^\s*max_batch_size\s*:?\s*\{\s*value\s*:\s*([1-9]\d{0,5})\s*\}", text, re.M)
    if found is None:
        raise SettingError(
            f"argument --out: {path} has no max_batch_size {{ value: NUMBER }}; mend it, or delete "
            "it for a new one"
        )
    return int(found[1])


def models_config(folder):
    """Text of a `ModelServerConfig` of all models in `folder`, as the container sees them."""
    config = model_server_config_pb2.ModelServerConfig()
    for model in sorted(folder.iterdir()):
        if any(
            (model / str(number) / SAVED_MODEL_FILE).is_file() for number in version_numbers(model)
        ):
            config.model_config_list.config.add(
                name=model.name, base_path=f"/models/{model.name}", model_platform="tensorflow"
            )
    return text_format.MessageToString(config)


def batching_parameters(batches):
    """Text of a `BatchingParameters`: smaller batches are padded to the next of `batches`."""
    lines = [
        f"max_batch_size {{ value: {batches[-1]} }}",
        f"batch_timeout_micros {{ value: {BATCH_TIMEOUT_MICROS} }}",
        f"max_enqueued_batches {{ value: {MAX_ENQUEUED_BATCHES} }}",
        *(f"allowed_batch_sizes: {batch}" for batch in batches),
    ]
    return "\n".join(lines) + "\n"
