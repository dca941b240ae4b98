"""Table and plot of the speed of inference."""

from benchmarks import inference
from benchmarks.reports import save_plot


def test_share_of_the_product_rate_and_ratio_to_swin(tmp_path):
    pale = {"form": "SavedModel", "batch": 8, "processes": 1, "macs": 4.203e9}
    pale["precision"] = "float32"
    swin = pale | {"form": "Swin-T, PyTorch", "macs": 4.491e9}
    result = {
        # 100 GFLOP/s; an image of 4.203 GMACs is 8.406 GFLOP.
        "seconds": {
            "matrix product, float32": [0.1, 0.1],
            "SavedModel, batch 8, 1 at once": [1.0, 1.0],
            "Swin-T, PyTorch, batch 8, 1 at once": [1.5, 1.5],
            "Swin-T, OpenVINO, batch 8, 1 at once": [1.2, 1.2],
            "OpenVINO, bfloat16, batch 8, 1 at once": [0.5, 0.5],
            "SavedModel, batch 8, 2 at once": [1.6, 1.6],
        },
        "forms": {
            "SavedModel, batch 8, 2 at once": pale | {"processes": 2},
            "OpenVINO, bfloat16, batch 8, 1 at once": pale
            | {"form": "OpenVINO, bfloat16", "precision": "bfloat16"},
            "SavedModel, batch 8, 1 at once": pale,
            "Swin-T, PyTorch, batch 8, 1 at once": swin,
            "Swin-T, OpenVINO, batch 8, 1 at once": swin | {"form": "Swin-T, OpenVINO"},
        },
        "flops": 1e10,
    }
    _, alone, peer, fastest, precise, together = inference.rows(result)
    assert alone == ["SavedModel", "8", "1", "8.0", "67%", "1.20 (1.20 to 1.20)"]
    assert fastest[0] == "Swin-T, OpenVINO"
    assert fastest[-1] == "1.00 (1.00 to 1.00)"
    assert precise[-1] == ""  # there is no Swin-T in bfloat16
    assert peer[:5] == ["Swin-T, PyTorch", "8", "1", "5.3", "48%"]
    assert together == ["SavedModel", "8", "2", "10.0", "84%", ""]
    save_plot(lambda axis: inference.draw(axis, result), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000
