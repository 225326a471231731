"""Fits ridge logistic regressions with scikit-learn on the golden rows.

pip install numpy==2.4.6 scikit-learn==1.9.1
cargo run -p oculus-plugin-linear --example linear_golden plugins/linear/tests/golden
python plugins/linear/tests/golden/sklearn_ridge.py

In: rows.csv; its last column is the label. The first 300 rows are fitted. Out: sklearn.json, the weights, the
intercepts and the probabilities of the last 100 rows, for three values of C and two clips.
"""

import json
from pathlib import Path

import numpy
from sklearn.linear_model import LogisticRegression

folder = Path(__file__).parent
table = numpy.loadtxt(folder / "rows.csv", delimiter=",", skiprows=1, dtype=numpy.float32).astype(numpy.float64)
columns, label = table[:, :-1], table[:, -1]
mean, deviation = columns[:300].mean(axis=0), columns[:300].std(axis=0)

fits = []
for c, clip in [(0.002, 4.0), (1.0, 4.0), (0.05, 1.5)]:
    inputs = ((columns - mean) / deviation).clip(-clip, clip)
    model = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    model.fit(inputs[:300], label[:300])
    fits.append(
        {
            "l2": 1 / c,
            "clip": clip,
            "weights": model.coef_[0].tolist(),
            "intercept": model.intercept_[0],
            "scores": model.predict_proba(inputs[300:])[:, 1].tolist(),
        }
    )
(folder / "sklearn.json").write_text(json.dumps(fits, indent=1) + "\n")
