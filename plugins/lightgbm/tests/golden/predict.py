"""Predicts with Python's LightGBM from a model text that the plugin saved.

pip install lightgbm==4.7.0 numpy
cargo run -p oculus-plugin-lightgbm --example lightgbm_golden plugins/lightgbm/tests/golden
python plugins/lightgbm/tests/golden/predict.py

In: model.txt, rows.csv. Out: predictions.csv, one probability per row, in full precision.
"""

from pathlib import Path

import lightgbm
import numpy

assert lightgbm.__version__ == "4.7.0", lightgbm.__version__
folder = Path(__file__).parent
booster = lightgbm.Booster(model_file=folder / "model.txt")
names = (folder / "rows.csv").read_text().splitlines()[0].split(",")
assert booster.feature_name() == names, booster.feature_name()
rows = numpy.loadtxt(folder / "rows.csv", delimiter=",", skiprows=1, dtype=numpy.float32)
predictions = booster.predict(rows)
(folder / "predictions.csv").write_text("".join(f"{p!r}\n" for p in predictions.tolist()))
