"""Measures the milliseconds from the start of a plugin process to its first fit.

Usage: plugins.py PROGRAM DOCS LIBRARY... [--runs N]

In: the program `plugin_start` (bench/src/bin) and plugin libraries. Out: the section `plugins` of DOCS/benchmarks.md,
with the medians of all runs and the 90 % quantile of the time to the first fit.
"""

import argparse
import json
import os
import statistics
import subprocess

from page import replace_section


def row(measured):
    """Returns the table row of one library."""
    until = lambda stage: [run[stage] for run in measured["runs"]]
    medians = [statistics.median(until(stage)) for stage in range(3)]
    quantile_90 = statistics.quantiles(until(2), n=10)[-1]
    build = "release" if os.path.basename(os.path.dirname(measured["library"])) == "release" else "dev"
    figures = " | ".join(f"{ms:.1f}" for ms in [*medians, quantile_90])
    return f"| `{measured['id']}` | {build} | {measured['bytes'] / 2**20:.1f} | {figures} |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("docs")
    parser.add_argument("libraries", nargs="+")
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()
    command = [arguments.program, str(arguments.runs), *arguments.libraries]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    rows = [row(json.loads(line)) for line in done.stdout.splitlines()]
    lines = [f"The times are medians of {arguments.runs} starts on {os.cpu_count()} cores, in milliseconds from the start of the process.", "",
             "| plugin | build | library, MiB | opened | prepared | first fit done | 90 % within |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: |", *rows]
    text = "\n".join(lines)
    replace_section(os.path.join(arguments.docs, "benchmarks.md"), "plugins", text)
    print(text)


if __name__ == "__main__":
    main()
