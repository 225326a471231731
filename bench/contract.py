"""Runs many jobs over real and synthetic markets, and validates their results with the strict schema.

    bench/contract.py BINARY PLUGINS N

In: the binary oculus-host, a folder of plugins, and the number of jobs. Out: the number of jobs by
status, the number of violations of docs/schema/result.schema.json, and the number of ordinary jobs
whose AUC is null although the test period has both classes. The exit code is 1 if there are
violations or such jobs.

The script needs the package `jsonschema`: it validates with an implementation that is independent
of the project's tests (tests/src/schema.rs). Job k is a function of k alone, so a job can be
repeated with `bench/contract.py BINARY PLUGINS N FIRST`.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Symbols and bars per market. An index is a symbol like any other.
DAILY = ["AAA", "BBB", "CCC", "DDD", "EEE", "^IDX"]
MARKETS = [
    # (kind, timeframe, symbols, bars, spans in years)
    ("walk", "1d", DAILY, 1500, [1.05, 2, 4]),
    ("garch", "1d", DAILY, 1500, [1.05, 2, 4]),
    ("rebound", "1d", DAILY, 1500, [1.05, 2, 4]),
    ("rule", "1d", DAILY, 1500, [2, 4]),
    ("walk", "1w", ["AAA", "BBB"], 900, [6, 12]),
    ("garch", "1h", ["AAA", "BBB"], 5000, [1.5]),
]
LABELS = [([5, 10, 15], [2.0, 3.0, 5.0]), ([5], [2.0]), ([1], [0.0]), ([10], [-2.0, 4.0]), ([20], [1.0, 8.0]), ([2], [6.0])]
LEADS = ["LightGBM", "LightGBM", "Linear"]


def main():
    binary, plugins, n_jobs = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), int(sys.argv[3])
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    validator = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/schema/result.schema.json").read_text()))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        markets = [market(binary, folder / f"market-{idx}", *spec[:4]) for idx, spec in enumerate(MARKETS)]
        bars = [*markets, ROOT / "examples/bars"]
        with ThreadPoolExecutor(2) as pool:
            jobs = range(first, first + n_jobs)
            results = list(pool.map(lambda number: run(binary, plugins, folder, bars, number), jobs))
    n_violations = n_null = 0
    for number, (job, result) in zip(jobs, results):
        for error in validator.iter_errors(result):
            n_violations += 1
            deepest = jsonschema.exceptions.best_match([error])
            print(f"job {number}: {deepest.json_path}: {deepest.message[:200]}")
        n_null += has_unexplained_null(number, result)
    statuses = Counter(result["status"] for _, result in results)
    codes = Counter(result["error"]["code"] for _, result in results if "error" in result)
    reliability = Counter(result["model_metrics"].get("auc_reliability") for _, result in results)
    print(f"jobs {len(results)}: {dict(statuses)}; errors {dict(codes)}; auc_reliability {dict(reliability)}")
    print(f"violations {n_violations}; null AUC with both classes in the test period {n_null}")
    return 1 if n_violations or n_null else 0


def has_unexplained_null(number, result):
    """Returns whether the AUC is null although the test period has both classes."""
    metrics = result["model_metrics"]
    if result["status"] != "success" or metrics["auc"] is not None:
        return False
    if 0 < metrics["n_test_positive"] < metrics["n_test"]:
        print(f"job {number}: the AUC is null: {metrics['reasons'].get('auc')}")
        return True
    return False


def market(binary, folder, kind, timeframe, symbols, length):
    """Writes the bars of a synthetic market and returns its folder."""
    command = [binary, "bars", "synth", kind, "--out", folder, "--symbols", ",".join(symbols)]
    command += ["--length", str(length), "--timeframe", timeframe, "--seed", "11"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder.parent)
    return folder


def run(binary, plugins, folder, bars, number):
    """Runs job `number` and returns the job and its result."""
    job, source = make_job(number, bars)
    work = folder / f"job-{number}"
    work.mkdir()
    (work / "job.json").write_text(json.dumps(job))
    command = [binary, "--plugins", plugins, "--bars", source, "train", "job.json", "--json"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "ARTIFACTS_DIR": str(work / "artifacts")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=work, env=environment)
    try:
        return job, json.loads(done.stdout)
    except json.JSONDecodeError:
        sys.exit(f"job {number} printed no result (exit code {done.returncode}): {done.stderr[-2000:]}")


def make_job(number, bars):
    """Returns job `number` and the folder of its bars. Every twentieth job is invalid or has no bars."""
    draw = random.Random(number)
    idx = number % len(bars)
    kind, timeframe, symbols, _, spans = MARKETS[idx] if idx < len(MARKETS) else ("real", "1d", ["AAPL", "MSFT"], 0, [1.05, 2, 4])
    horizons, thresholds = draw.choice(LABELS)
    config = {"config_search_model": draw.choice(LEADS), "cv_folds": draw.choice([1, 2, 3, 5]), "seed": number}
    if draw.random() < 0.1:
        # Leaves of more rows than there are: the model is a constant.
        config |= {"config_search_model": "LightGBM", "lgbm_min_data_in_leaf": 1_000_000}
    if draw.random() < 0.2:
        config |= {"train_neural_networks": True, "nn_epochs": 5}
    if number % 40 == 39:
        config |= {"train_lstm": True, "lstm_epochs": 2, "lstm_sequence_length": 20, "lstm_hidden_size": 8}
    design = {
        "years": draw.choice(spans), "forward_returns_days_options": horizons, "profit_threshold_options": thresholds,
        "recommended_n_iter_search": draw.choice([1, 4, 8]), "strategy_trials": draw.choice([1, 8, 32]),
        "entry_rules": [
            {"feature": "RSI_14", "operator": "<=", "threshold": draw.choice([5, 35, 200])},
            {"feature": "NO_SUCH_FEATURE", "operator": ">", "threshold": 0},
        ][: draw.randrange(3)],
        "exit_rules": [{"feature": "RSI_14", "operator": ">=", "threshold": 70}][: draw.randrange(2)],
        "ml_training_config": config,
    }
    n_symbols = draw.choice([1, 1, 2, len(symbols)])
    job = {"build_id": f"build:{number}", "symbols": draw.sample(symbols, n_symbols), "timeframe": timeframe, "design": design}
    if number % 20 == 19:
        draw.choice([
            lambda: job.update(symbols=["MISSING"]),
            lambda: design.update(years=60),
            lambda: design.update(years=45),
            lambda: config.update(config_search_model="NoSuchModel"),
            lambda: design.update(profit_threshold_options=[900.0]),
        ])()
    return job, bars[idx]


if __name__ == "__main__":
    sys.exit(main())
