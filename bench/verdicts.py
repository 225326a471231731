"""Counts the verdicts on synthetic panels without an edge and with a planted edge.

Usage: verdicts.py HOST PLUGINS DOCS [NULL_PANELS]

In: the program `oculus-host` and a plugins folder. Out: the section `verdicts` of DOCS/benchmarks.md. Every panel is
generated with its own seed and is the input of a complete job.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from page import replace_section

DESIGN = {
    "forward_returns_days_options": [5, 10],
    "profit_threshold_options": [2.0, 3.0],
    "recommended_n_iter_search": 12,
    "entry_rules": [{"feature": "RSI_14", "operator": "<=", "threshold": 35}],
    "exit_rules": [{"feature": "RSI_14", "operator": ">=", "threshold": 70}],
    "ml_training_config": {"config_search_model": "LightGBM", "cv_folds": 3},
}
# Kind, additional log return per day of a planted rise, number of symbols, years of daily bars.
NULLS = [("walk", None, 4, 4), ("garch", None, 4, 4)]
# Where the verdict varies from panel to panel, ten panels are too few to measure how often it is right.
PLANTED = [(("rule", 0.0032, 8, 5), 30), (("rebound", 0.005, 8, 5), 30), (("rebound", 0.01, 8, 5), 10), (("rebound", 0.02, 8, 5), 10)]
# Bars for the warm-up, and at least as many bars per year as there are weekdays.
WARM_UP_BARS, BARS_PER_YEAR = 340, 262


def run_job(host, plugins, panel, seed):
    """Generates a panel, runs a job on it and returns the result."""
    kind, drift, n_symbols, years = panel
    symbols = [f"S{idx}" for idx in range(n_symbols)]
    job = {"build_id": f"{kind}-{seed}", "symbols": symbols, "timeframe": "1d", "design": {**DESIGN, "years": years}}
    with tempfile.TemporaryDirectory() as folder:
        bars, file = os.path.join(folder, "bars"), os.path.join(folder, "job.json")
        generate = [host, "bars", "synth", kind, "--out", bars, "--symbols", ",".join(symbols), "--seed", str(seed),
                "--length", str(WARM_UP_BARS + years * BARS_PER_YEAR)]
        generate += [] if drift is None else ["--drift", str(drift)]
        with open(file, "w") as out:
            json.dump(job, out)
        environment = {**os.environ, "ARTIFACTS_DIR": os.path.join(folder, "artifacts")}
        options = dict(stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment)
        train = [host, "--plugins", plugins, "--bars", bars, "train", file, "--json"]
        for command in (generate, train):
            done = subprocess.run(command, **options)
            if done.returncode != 0:
                sys.exit(f"{command} failed with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def row(panel, results):
    """Returns the table row of one kind of panels."""
    kind, drift, n_symbols, years = panel
    planted = "" if drift is None else f", {100 * drift:g} % per day"
    verdicts = Counter(result["verdict"]["verdict"] for result in results)
    known = lambda figures: sorted(value for value in figures if value is not None)
    # The part is null if no strategy was chosen, because none had enough round trips.
    significance = lambda part: [(result["strategy_optimization"][part] or {}).get("significance", {}) for result in results]
    psr = known(figures.get("probabilistic_sharpe") for figures in significance("test"))
    pbo = known(figures.get("pbo") for figures in significance("development"))
    ranks = [result["canaries"]["surrogate_markets"]["rank"] for result in results]
    chances = known(result["model_metrics"]["auc_p"] for result in results)
    median = lambda values: f"{values[len(values) // 2]:.2f}" if values else "–"
    return (f"| `{kind}`{planted}, {n_symbols} symbols × {years} years | {len(results)} | {verdicts['edge']} | "
            f"{verdicts['inconclusive']} | {verdicts['no_edge']} | {median(psr)} | {median(pbo)} | "
            f"{sum(rank == 1 for rank in ranks)} | {sum(chance <= 0.05 for chance in chances)} |")


def main():
    host, plugins, docs = sys.argv[1:4]
    n_null = int(sys.argv[4]) if len(sys.argv) > 4 else 100
    lines = ["| panels | n | `edge` | `inconclusive` | `no_edge` | median probabilistic Sharpe | median PBO | "
             "rank 1 among surrogates | `auc_p` ≤ 0.05 |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for panel, n_panels in [(panel, n_null // len(NULLS)) for panel in NULLS] + PLANTED:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda seed: run_job(host, plugins, panel, seed), range(1, n_panels + 1)))
        lines.append(row(panel, results))
        print(lines[-1], flush=True)
    replace_section(os.path.join(docs, "benchmarks.md"), "verdicts", "\n".join(lines))


if __name__ == "__main__":
    main()
