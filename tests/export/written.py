"""SavedModels as export writes them, without their verification."""

from export.network import inference_network
from export.serving.signatures import make_signatures, write_model
from export.serving.warmup import write_warmup
from export.tasks import task_of


def written(trained, folder, size=None, precision="float32"):
    """Writes the SavedModel of a `common.trained.Trained`, and a warm-up; returns its folder."""
    task = task_of(trained)
    network = inference_network(trained.network, task, size, precision)
    signatures = make_signatures(network, trained, task, "off")
    write_model(folder, network, signatures)
    image_size = trained.recipe["image_size"]
    write_warmup(folder / "warmup", "photographs", signatures, (1, 2), image_size)
    return folder
