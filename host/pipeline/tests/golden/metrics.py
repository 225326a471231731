"""Golden values of the host's statistics, from scikit-learn.

    pip install scikit-learn==1.7.2 numpy==2.3.4
    python metrics.py > metrics.json

Scores are multiples of 1/64, which 32-bit floats hold exactly; the coarse grid makes ties.
"""

import json

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score


def ranking_case(seed: int, n_rows: int, n_levels: int) -> dict:
    rng = np.random.default_rng(seed)
    label = (rng.random(n_rows) < 0.35).astype(int)
    score = np.clip(np.round((0.3 * label + rng.random(n_rows)) * n_levels / 1.3), 0, n_levels) / 64
    threshold = float(np.sort(score)[n_rows // 2])
    flagged = (score >= threshold).astype(int)
    return {
        "label": label.tolist(),
        "score": score.tolist(),
        "threshold": threshold,
        "auc": roc_auc_score(label, score),
        "average_precision": average_precision_score(label, score),
        "f1": f1_score(label, flagged),
        "precision": precision_score(label, flagged),
        "recall": recall_score(label, flagged),
    }


def logistic_case(seed: int, n_rows: int) -> dict:
    rng = np.random.default_rng(seed)
    natr = np.round(np.exp(rng.normal(0.5, 0.4, n_rows)) * 64) / 64
    hv = np.round(np.exp(rng.normal(3.0, 0.5, n_rows)) * 64) / 64
    x = np.log(np.column_stack([natr, hv]))
    label = (rng.random(n_rows) < 1 / (1 + np.exp(-2 * (x[:, 0] - 0.5)))).astype(int)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    # scikit-learn minimises |w|^2 / 2 + C * loss; the host's ridge on the loss is 1 / C.
    model = LogisticRegression(C=1e3, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(x, label)
    return {
        "natr": natr.tolist(),
        "hv": hv.tolist(),
        "label": label.tolist(),
        "probability": model.predict_proba(x)[:, 1].tolist(),
    }


print(
    json.dumps(
        {
            "ranking": [ranking_case(1, 40, 64), ranking_case(2, 60, 8), ranking_case(3, 25, 3)],
            "logistic": logistic_case(4, 60),
        }
    )
)
