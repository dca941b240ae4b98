"""Size and precision of an artifact, read from its file."""

import struct

import openvino
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from common.errors import SettingError
from export.verification.running import (
    FILES_INPUT,
    OPENVINO_FILE,
    OPENVINO_PRECISION,
    OPENVINO_PRECISIONS,
    OPENVINO_SIZE,
    openvino_reason,
)


def describe(artifact):
    """Image size, precision and size of an artifact.

    Args:
        artifact: Path of the folder of a SavedModel or of an OpenVINO model, or of a LiteRT file.

    Returns:
        Dict: `size`, height and width of the images in pixels, None for any; `precision`, a key of
        `comparison.BOUNDS`; `bytes`; and `batch`, if it is fixed.

    Raises:
        SettingError: If the file is not one of this project's.
    """
    try:
        if artifact.is_dir():
            files = [path for path in artifact.rglob("*") if path.is_file()]
            is_openvino = (artifact / OPENVINO_FILE).is_file()
            described = (_describe_openvino if is_openvino else _describe_saved_model)(artifact)
        else:
            files = [artifact]
            described = _describe_lite(artifact)
    except (OSError, ValueError, LookupError, TypeError, struct.error) as error:
        raise SettingError(f"{artifact} is not an artifact of this project: {error}") from error
    return described | {"bytes": sum(file.stat().st_size for file in files)}


def _describe_saved_model(folder):
    """Image size and precision of a SavedModel, by the types of its weights."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import types_pb2
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except DecodeError as error:
        raise ValueError("saved_model.pb is damaged") from error
    signatures = model.meta_graphs[0].signature_def
    if "serving_default" not in signatures:
        raise ValueError("it has no signature serving_default")
    nodes = model.meta_graphs[0].object_graph_def.nodes
    types = {node.variable.dtype for node in nodes if node.WhichOneof("kind") == "variable"}
    size = signatures["serving_default"].inputs["images"].tensor_shape.dim[1].size
    return {
        "size": None if size == -1 else size,
        "precision": "bfloat16" if types_pb2.DT_BFLOAT16 in types else "float32",
    }


def _describe_openvino(folder):
    """Image size, batch and precision of an OpenVINO model, as the file says."""
    try:
        model = openvino.Core().read_model(folder / OPENVINO_FILE)
        precision = model.get_rt_info(OPENVINO_PRECISION).astype(str)
        batch, size, *_ = model.input().partial_shape
        of_files = model.input().any_name == FILES_INPUT
        if of_files and model.has_rt_info(OPENVINO_SIZE):
            size = model.get_rt_info(OPENVINO_SIZE).astype(int)
        else:
            size = _length(size)
    except RuntimeError as error:
        raise ValueError(openvino_reason(error)) from error
    if precision not in OPENVINO_PRECISIONS:
        raise ValueError(f"it is of an unknown precision, {precision!r}")
    fixed = {} if batch.is_dynamic else {"batch": batch.get_length()}
    return {"size": size, "precision": precision, **fixed}


def _length(dimension):
    """Length of a dimension of an OpenVINO model, None for any."""
    return None if dimension.is_dynamic else dimension.get_length()


def _describe_lite(file):
    """Image size and precision of a LiteRT file, by the types of its tensors."""
    model = read_lite(file)
    graph = model.subgraphs[0]
    types = {tensor.type for tensor in graph.tensors}
    if "QUANTIZE" in operation_names(model):
        precision = "int8"
    elif schema.TensorType.INT8 in types:
        precision = "dynamic"
    elif schema.TensorType.FLOAT16 in types:
        precision = "float16"
    else:
        precision = "float32"
    batch, size, *_ = graph.tensors[graph.inputs[0]].shape
    return {"size": int(size), "batch": int(batch), "precision": precision}


def read_lite(file):
    """The contents of a LiteRT file, as the `ModelT` of its schema.

    Raises:
        ValueError: If it is none.
    """
    content = file.read_bytes()
    if content[4:8] != b"TFL3":
        raise ValueError("it does not begin as a LiteRT file does")
    return flatbuffer_utils.read_model_from_bytearray(bytearray(content))


def operation_names(model):
    """Names of all operations of a `ModelT`, in order."""
    return [
        flatbuffer_utils.opcode_to_name(model, operation.opcodeIndex)
        for graph in model.subgraphs
        for operation in graph.operators
    ]
