"""Measures the seconds of each stage of the example job on the bars of the project.

Usage: stages.py HOST PLUGINS ROOT DOCS [RUNS]

In: the program `oculus-host`, a plugins folder, the root of the project. Out: the section `stages` of
DOCS/benchmarks.md, with the medians of all runs.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

from page import replace_section

STAGES = ["data_fetch", "feature_engineering", "config_search", "training", "rule_extraction", "strategy_optimization"]


def run_job(host, plugins, root):
    """Runs the job once and returns the seconds by stage; `all` is the time of the complete job."""
    with tempfile.TemporaryDirectory() as folder:
        command = [host, "--plugins", plugins, "--bars", os.path.join(root, "examples/bars"), "train",
                   os.path.join(root, "examples/job.json"), "--json"]
        environment = {**os.environ, "ARTIFACTS_DIR": folder}
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=True)
    run = json.loads(done.stdout)["run"]
    return {**run["seconds_by_phase"], "all": run["seconds"]}


def main():
    host, plugins, root, docs = sys.argv[1:5]
    n_runs = int(sys.argv[5]) if len(sys.argv) > 5 else 5
    runs = [run_job(host, plugins, root) for _ in range(n_runs)]
    median = lambda stage: statistics.median(run[stage] for run in runs)
    lines = [f"The times are medians of {n_runs} runs on {os.cpu_count()} cores.", "", "| stage | seconds |", "| --- | ---: |"]
    lines += [f"| {stage} | {median(stage):.2f} |" for stage in STAGES]
    both = statistics.median(run["rule_extraction"] + run["strategy_optimization"] for run in runs)
    lines += [f"| rules and strategy together | {both:.2f} |", f"| complete job | {median('all'):.2f} |"]
    text = "\n".join(lines)
    replace_section(os.path.join(docs, "benchmarks.md"), "stages", text)
    print(text)


if __name__ == "__main__":
    main()
