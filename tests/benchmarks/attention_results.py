"""Results of the comparison of attentions, made up for tests."""


def results():
    costs = [
        {"attention": name, "size": size, "parameters": 21e6, "macs": 4e9, "region": 0.25}
        | {"seconds": [1.0], "median_seconds": 1.0, "bytes": 1e8}
        for name in ("pale", "global")
        for size in (224, 448)
    ]
    costs[-1] |= {"seconds": None}
    scores = [
        {"attention": "pale", "task": "digits", "seed": seed, "accuracy": accuracy, "epochs": 16}
        for seed, accuracy in enumerate((0.9, 0.95, 1.0))
    ]
    return {"cost": costs, "accuracy": scores}
