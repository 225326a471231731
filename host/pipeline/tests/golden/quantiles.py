"""Golden quantiles of Student's t and of the beta distribution, from SciPy.

    pip install scipy==1.17.1
    python quantiles.py > quantiles.json
"""

import json

from scipy.stats import beta, t

DOFS = [1, 1.55, 2, 3.7, 4, 9, 24.2, 99, 500]
PROBABILITIES = [0.025, 0.3, 0.5, 0.9, 0.975, 0.995]
# Shapes of the Clopper-Pearson limits of k of n: (k, n - k + 1) for the lower one, (k + 1, n - k) for the upper one.
SHAPES = [(1, 1), (1, 3), (1, 12), (12, 1), (3, 8), (2.5, 0.5), (40, 161)]

print(
    json.dumps(
        {
            "t": [{"p": p, "dof": dof, "quantile": t.ppf(p, dof)} for dof in DOFS for p in PROBABILITIES],
            "beta": [{"p": p, "a": a, "b": b, "quantile": beta.ppf(p, a, b)} for a, b in SHAPES for p in [0.025, 0.975]],
        }
    )
)
