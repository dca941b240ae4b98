"""Files that OpenVINO Model Server is started with, in the folder that holds all its models."""

import json

from export.intermediate.conversion import hints_of
from export.serving.server_files import write_texts
from export.serving.versions import version_numbers
from export.verification.running import OPENVINO_FILE

CONFIG = "config.json"
COMPOSE = "openvino-compose.yml"

COMPOSE_TEXT = f"""\
# Starts OpenVINO Model Server on the OpenVINO models of this folder:
#   docker compose --file {COMPOSE} up
# It speaks TensorFlow Serving's gRPC and REST. Beside that server it needs ports of its own:
#   GRPC_PORT=9500 REST_PORT=9501 docker compose …
name: openvino
services:
  openvino:
    image: ${{MODEL_SERVER_IMAGE:-openvino/model_server:latest}}
    restart: unless-stopped
    ports:
      - "${{GRPC_PORT:-8500}}:8500"
      - "${{REST_PORT:-8501}}:8501"
    volumes:
      - .:/models:ro
    command:
      - --config_path=/models/{CONFIG}
      - --file_system_poll_wait_seconds=60
      - --port=8500
      - --rest_port=8501
"""


def write_model_server_files(folder):
    """Writes `config.json`, with every OpenVINO model of `folder` that has a version, and a compose
    file. That stays as it is if it is there, for people edit it.

    Args:
        folder: The folder that holds a folder for each model.

    Raises:
        WriteError: If that is not possible.
    """
    write_texts(folder, {COMPOSE: COMPOSE_TEXT}, CONFIG, models_config)


def models_config(folder):
    """Text of the configuration of all models in `folder`, as the container sees them.

    All versions of a model are served in the precision of the last one. A model that is not of this
    project gets OpenVINO's own.
    """
    models = []
    for model in sorted(folder.iterdir()):
        file = model / str(max(version_numbers(model), default=0)) / OPENVINO_FILE
        if file.is_file():
            config = {
                "name": model.name,
                "base_path": f"/models/{model.name}",
                "plugin_config": hints_of(file),
            }
            models.append({"config": config})
    return json.dumps({"model_config_list": models}, indent=2) + "\n"
