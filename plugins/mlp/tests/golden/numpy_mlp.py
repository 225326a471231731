"""Reads a model that the plugin saved, writes another, and predicts with both in numpy's double precision.

pip install numpy==2.4.6 safetensors==0.8.0
cargo run -p oculus-plugin-mlp --example mlp_golden plugins/mlp/tests/golden
python plugins/mlp/tests/golden/numpy_mlp.py

In: ours.safetensors, rows.csv. Out: ours.csv, pythons.safetensors, pythons.csv; one probability per row, in full precision.
"""

import json
from pathlib import Path

import numpy
from safetensors import safe_open
from safetensors.numpy import save_file

folder = Path(__file__).parent
names = (folder / "rows.csv").read_text().splitlines()[0].split(",")
rows = numpy.loadtxt(folder / "rows.csv", delimiter=",", skiprows=1, dtype=numpy.float32).astype(numpy.float64)


def predict(file: Path) -> numpy.ndarray:
    with safe_open(file, framework="numpy") as model:
        header = json.loads(model.metadata()["oculus"])
        tensors = {name: model.get_tensor(name).astype(numpy.float64) for name in model.keys()}
    columns = rows[:, [names.index(name) for name in header["features"]]]
    mean, deviation = tensors["scaler.mean"], tensors["scaler.deviation"]
    moves = deviation > 0
    values = numpy.where(moves, (columns - mean) / numpy.where(moves, deviation, 1), 0)
    values = values.clip(-header["clip"], header["clip"])
    n_hidden = len(header["hidden_sizes"])
    for layer in range(n_hidden + 1):
        values = values @ tensors[f"layers.{layer}.weight"].T + tensors[f"layers.{layer}.bias"]
        if layer < n_hidden:
            values = numpy.maximum(values, 0)
    return 1 / (1 + numpy.exp(-values[:, 0]))


def write(file: Path) -> None:
    random = numpy.random.default_rng(8)
    # The features have another order than the rows. One is constant, and one has values beyond the clip.
    features, sizes = ["RET_5", "RSI_14", "ADX_14", "NATR_14"], [4, 7, 5, 3, 1]
    tensors = {
        "scaler.mean": numpy.array([0.4, 0.5, 0.5, 0.5]),
        "scaler.deviation": numpy.array([0.3, 0.05, 0.2, 0.0]),
    }
    for layer, (n_inputs, n_outputs) in enumerate(zip(sizes, sizes[1:])):
        weight = random.normal(0, 2.5 / n_inputs**0.5, (n_outputs, n_inputs))
        tensors[f"layers.{layer}.weight"] = weight.astype(numpy.float32)
        tensors[f"layers.{layer}.bias"] = random.normal(0, 0.3, n_outputs).astype(numpy.float32)
    header = {
        "family": "mlp",
        "format": 1,
        "features": features,
        "hidden_sizes": sizes[1:-1],
        "clip": 5.0,
        "epochs": 3,
        "device": "cpu",
    }
    save_file(tensors, file, metadata={"oculus": json.dumps(header)})


write(folder / "pythons.safetensors")
for name in ["ours", "pythons"]:
    predictions = predict(folder / f"{name}.safetensors")
    (folder / f"{name}.csv").write_text("".join(f"{p!r}\n" for p in predictions.tolist()))
