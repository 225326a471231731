"""Measures seconds and peak memory for ten million rows: synthetic bars, computed features and a job's table.

Usage: memory.py HOST TIMES_PROGRAM DOCS [ROWS]

In: the programs `oculus-host` and `feature_times`. Out: the section `memory` of DOCS/benchmarks.md.
Requires about 15 GB in the temporary folder (TMPDIR), which must be on a disk.
"""

import os
import subprocess
import sys
import tempfile
import time

from page import replace_section


def measure(arguments, **options):
    """Runs a command; returns the seconds and the peak memory of its process in KiB."""
    started = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{arguments} failed with {status}")
    # Linux reports KiB, macOS bytes.
    kib = usage.ru_maxrss // 1024 if sys.platform == "darwin" else usage.ru_maxrss
    return time.perf_counter() - started, kib


def measure_files(host, folder, n_symbols, n_rows):
    """Measures writing bars, and all default features of them, as Parquet."""
    symbols = [f"S{idx}" for idx in range(n_symbols)]
    synth = [host, "bars", "synth", "walk", "--out", folder, "--symbols", ",".join(symbols), "--length",
             str(n_rows // n_symbols), "--timeframe", "1m", "--format", "parquet"]
    out = os.path.join(folder, "features.parquet")
    symbol_flags = [word for symbol in symbols for word in ("--symbol", symbol)]
    compute = [host, "--bars", folder, "features", "compute", "--timeframe", "1m", "--out", out, *symbol_flags]
    what = f"{n_symbols} × {n_rows // n_symbols:,} bars"
    yield f"`bars synth`, {what}, to Parquet", *measure(synth)
    yield f"`features compute`, {what}, all default features, to Parquet", *measure(compute)


def measure_table(program, n_symbols, n_rows):
    """Measures building the table of a job."""
    request = f"build {n_symbols} {n_rows // n_symbols} {os.cpu_count()}\n"
    reply = subprocess.run([program], input=request, capture_output=True, text=True, check=True).stdout.split()
    rows, columns, seconds, peak = int(reply[0]), int(reply[1]), float(reply[2]), reply[3]
    what = f"a job's table in the mapped file, {n_symbols} × {n_rows // n_symbols:,} bars: {rows:,} rows × {columns}"
    return what, seconds, int(peak) if peak.isdigit() else 0


def main():
    host, program, docs = sys.argv[1:4]
    n_rows = int(sys.argv[4]) if len(sys.argv) > 4 else 10_000_000
    results = []
    for n_symbols in (1, 20):
        with tempfile.TemporaryDirectory() as folder:
            results.extend(measure_files(host, folder, n_symbols, n_rows))
        results.append(measure_table(program, n_symbols, n_rows))
    lines = ["| | seconds | peak memory, MiB |", "| --- | ---: | ---: |"]
    lines += [f"| {what} | {seconds:.0f} | {peak // 1024:,} |" for what, seconds, peak in results]
    text = "\n".join(lines)
    replace_section(os.path.join(docs, "benchmarks.md"), "memory", text)
    print(text)


if __name__ == "__main__":
    main()
