"""Compares how oculus-host, RQ, Celery and apalis dispatch jobs, in one run.

Usage: queues.py HOST PLUGINS APALIS DOCS [--only NAME] [--rounds N] [--dispatches N]

In: the program `oculus-host`, a plugins folder, and the program of bench/apalis. Out: the section
`queues` of DOCS/reliability.md. The workers take turns, each with a new redis-server; the dispatches of all rounds are pooled,
and the other figures are medians of the rounds. Four figures are measured:
  - dispatch: milliseconds from the push of an entry to the first message of its job, while the
    worker is idle
  - rate: entries per second that are claimed and finished without any computation
  - memory of the idle worker: proportional set size of its processes, in MiB
  - CPU of the idle worker: percent of one core

A job of a peer publishes one message and returns. The first message of a job of oculus-host is its
first progress event; the job then fails in its process, because its bars do not exist. Its rate is
that of payloads which are refused without a process; each gets a result.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import redis

from page import replace_section

HERE = pathlib.Path(__file__).resolve().parent
CHANNEL = "dispatched"
N_WARM_UP = 20
N_DISPATCHES = 300
IDLE_S = 10
# A worker that takes longer has a defect, and the benchmark fails.
LIMIT_S = 120


class OculusHost:
    name = "oculus-host"
    n_entries = 4000
    concurrency = 2
    QUEUE = "oculus:training_queue"

    def __init__(self, options, url, folder):
        self.broker = redis.Redis.from_url(url)
        job = json.loads((HERE.parent / "examples/job.json").read_text())
        self.failing = json.dumps({**job, "symbols": ["ABSENT"]})
        self.refused = json.dumps({**job, "symbols": []})
        (folder / "bars").mkdir()
        self.command = [options.host, "--plugins", options.plugins, "--bars", folder / "bars", "--concurrency", str(self.concurrency)]
        # The plugins have been examined in the first round, as on every machine but a new one.
        self.environment = {"REDIS_URL": url, "ARTIFACTS_DIR": str(folder / "artifacts"), "PLUGINS_STATE_DIR": str(options.state)}

    def is_ready(self):
        return self.broker.zcard(f"{{{self.QUEUE}}}:workers") == 1

    def channel(self, name):
        return f"oculus:training:progress:{name}"

    def push(self, name):
        started = time.time_ns()
        self.broker.set(f"job:{name}", self.failing)
        self.broker.lpush(self.QUEUE, name)
        return started

    def push_for_rate(self, names):
        pipeline = self.broker.pipeline(transaction=False)
        for name in names:
            pipeline.set(f"job:{name}", self.refused)
        pipeline.lpush(self.QUEUE, *names)
        pipeline.execute()

    def is_finished(self, name):
        return self.broker.exists(f"result:{name}") == 1

    def is_idle(self):
        return self.broker.llen(self.QUEUE) + self.broker.zcard(f"{{{self.QUEUE}}}:leases") == 0


class OculusHostOfEight(OculusHost):
    name = "oculus-host, 8 jobs at a time"
    concurrency = 8


class Rq:
    name = "RQ"
    # RQ starts a process for each job, so the rate needs fewer entries.
    n_entries = 400

    def __init__(self, options, url, folder):
        import rq

        sys.path.insert(0, str(HERE))
        import queue_jobs

        self.job = queue_jobs.publish
        self.queue = rq.Queue(connection=redis.Redis.from_url(url))
        self.command = [sys.executable, "-m", "rq.cli", "worker", "--url", url, "--quiet", "default"]
        self.environment = {"REDIS_URL": url, "PYTHONPATH": str(HERE)}

    def is_ready(self):
        import rq

        return rq.Worker.count(connection=self.queue.connection) == 1

    def channel(self, name):
        return CHANNEL

    def push(self, name):
        started = time.time_ns()
        self.queue.enqueue(self.job, name, job_id=name)
        return started

    def push_for_rate(self, names):
        from rq import Queue

        self.queue.enqueue_many([Queue.prepare_data(self.job, (name,), job_id=name) for name in names])

    def is_finished(self, name):
        return name in self.queue.finished_job_registry

    def is_idle(self):
        return len(self.queue) == 0 and self.queue.started_job_registry.count == 0


class RqSimple(Rq):
    name = "RQ, SimpleWorker"
    n_entries = 4000

    def __init__(self, options, url, folder):
        super().__init__(options, url, folder)
        self.command += ["--worker-class", "rq.SimpleWorker"]


class Celery:
    name = "Celery"
    n_entries = 4000

    def __init__(self, options, url, folder):
        sys.path.insert(0, str(HERE))
        import queue_tasks

        self.app, self.task = queue_tasks.create(url)
        self.broker = redis.Redis.from_url(url)
        self.command = [sys.executable, "-m", "celery", "-A", "queue_tasks", "worker", "--loglevel", "ERROR"]
        self.environment = {"REDIS_URL": url, "PYTHONPATH": str(HERE), "C_FORCE_ROOT": "1"}

    def is_ready(self):
        return bool(self.app.control.inspect(timeout=0.5).ping())

    def channel(self, name):
        return CHANNEL

    def push(self, name):
        started = time.time_ns()
        self.task.apply_async((name,), task_id=name)
        return started

    def push_for_rate(self, names):
        for name in names:
            self.task.apply_async((name,), task_id=name)

    def is_finished(self, name):
        return self.broker.exists(f"celery-task-meta-{name}") == 1

    def is_idle(self):
        return self.broker.llen("celery") + self.broker.hlen("unacked") == 0


class Apalis:
    name = "apalis"
    n_entries = 4000
    QUEUE = "apalis_redis"

    def __init__(self, options, url, folder):
        self.broker = redis.Redis.from_url(url)
        self.command = [options.apalis, "work", CHANNEL]
        self.environment = {"REDIS_URL": url}
        self.producer = subprocess.Popen([options.apalis, "push"], env={**os.environ, "REDIS_URL": url}, text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self):
        self.producer.stdin.close()
        self.producer.wait()

    def is_ready(self):
        return self.broker.exists(f"{self.QUEUE}:consumers") == 1

    def channel(self, name):
        return CHANNEL

    def push(self, name):
        return self.push_for_rate([name])

    def push_for_rate(self, names):
        print(*names, file=self.producer.stdin, flush=True)
        return int(self.producer.stdout.readline())

    def is_finished(self, name):
        return self.is_idle()

    def is_idle(self):
        return self.broker.llen(f"{self.QUEUE}:active") == 0 and not list(self.broker.scan_iter(f"{self.QUEUE}:inflight:*"))


WORKERS = [OculusHost, OculusHostOfEight, Rq, RqSimple, Celery, Apalis]


def wait_until(condition, subject):
    """Polls a condition until it holds, and returns the time in nanoseconds since 1970."""
    limit = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > limit:
            sys.exit(f"error: after {LIMIT_S} s: {subject}")
        time.sleep(0.002)
    return time.time_ns()


@contextlib.contextmanager
def redis_server(folder):
    """Starts a redis-server without persistence and yields its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)

    def answers():
        with contextlib.suppress(redis.ConnectionError):
            return client.ping()

    try:
        wait_until(answers, "redis-server does not start")
        yield f"redis://127.0.0.1:{port}/0", client
    finally:
        server.kill()
        server.wait()


def processes_of(group):
    """Returns the ids of the processes of a process group."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, PermissionError):
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == group:
                found.append(entry.name)
    return found


def memory_mib(group):
    """Returns the proportional set size of a process group, in MiB."""
    kib = 0
    for pid in processes_of(group):
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def cpu_s(group):
    """Returns the seconds of processor time that the processes of a process group have used."""
    ticks = 0
    for pid in processes_of(group):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def dispatch_ms(worker, broker, name):
    """Pushes one entry, and returns the milliseconds until its first message."""
    with broker.pubsub() as messages:
        messages.subscribe(worker.channel(name))
        messages.get_message(timeout=LIMIT_S)
        started = worker.push(name)
        message = messages.get_message(timeout=LIMIT_S)
        received = time.time_ns()
    if message is None:
        sys.exit(f"error: after {LIMIT_S} s: no message of {name} from {worker.name}")
    wait_until(lambda: worker.is_finished(name) and worker.is_idle(), f"{worker.name} has not finished {name}")
    # Without this pause, the next push would sometimes meet a worker that is not waiting yet.
    time.sleep(0.02)
    return (received - started) / 1e6


def rate(worker, group):
    """Returns the entries per second. They are pushed while the worker is stopped."""
    names = [f"rate-{number}" for number in range(worker.n_entries)]
    os.killpg(group, signal.SIGSTOP)
    worker.push_for_rate(names)
    started = time.time_ns()
    os.killpg(group, signal.SIGCONT)
    finished = wait_until(worker.is_idle, f"{worker.name} has not finished {worker.n_entries} entries")
    return worker.n_entries / (finished - started) * 1e9


def measure(kind, options):
    """Runs a worker once and returns its figures."""
    with tempfile.TemporaryDirectory() as name, redis_server(name) as (url, broker):
        folder = pathlib.Path(name)
        worker = kind(options, url, folder)
        # Variables of a user, such as JOB_QUEUE, must not change the workers.
        inherited = {name: os.environ[name] for name in ["PATH", "HOME"]}
        environment = {**inherited, "PYTHONDONTWRITEBYTECODE": "1", **worker.environment}
        with open(folder / "log", "w") as log:
            process = subprocess.Popen(worker.command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_until(worker.is_ready, f"{worker.name} does not start")
            for number in range(N_WARM_UP):
                dispatch_ms(worker, broker, f"warm-up-{number}")
            cpu_before = cpu_s(process.pid)
            time.sleep(IDLE_S)
            idle = {"memory": memory_mib(process.pid), "cpu": (cpu_s(process.pid) - cpu_before) / IDLE_S * 100}
            dispatches = [dispatch_ms(worker, broker, f"job-{number}") for number in range(options.dispatches)]
            return {"dispatches": dispatches, "rate": rate(worker, process.pid), **idle}
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            getattr(worker, "close", lambda: None)()


def row(name, runs):
    """Returns the table row of one worker."""
    dispatches = [ms for run in runs for ms in run["dispatches"]]
    percentiles = statistics.quantiles(dispatches, n=100)

    def median(figure):
        return statistics.median(run[figure] for run in runs)

    return (f"| {name} | {percentiles[49]:.1f} | {percentiles[98]:.1f} | {median('rate'):,.0f} | {median('memory'):.0f} "
            f"| {median('cpu'):.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for argument in ["host", "plugins", "apalis", "docs"]:
        parser.add_argument(argument, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--only", help="part of the name of the workers to measure; leaves the page unchanged")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dispatches", type=int, default=N_DISPATCHES)
    options = parser.parse_args()
    kinds = [kind for kind in WORKERS if (options.only or "").lower() in kind.name.lower()]
    runs = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as options.state:
        for number in range(options.rounds):
            for kind in kinds:
                runs[kind].append(measure(kind, options))
                print(f"round {number + 1}:", row(kind.name, runs[kind][-1:]), file=sys.stderr)
    versions = ", ".join(f"{name} {version}" for name, version in peers())
    lines = [f"{os.cpu_count()} cores; {versions}; {options.rounds} rounds with {options.dispatches} dispatches each.", "",
             "| worker | dispatch p50, ms | dispatch p99, ms | entries per second | idle memory, MiB | idle CPU, % |",
             "| --- | ---: | ---: | ---: | ---: | ---: |", *[row(kind.name, runs[kind]) for kind in kinds]]
    text = "\n".join(lines)
    if not options.only:
        replace_section(options.docs / "reliability.md", "queues", text)
    print(text)


def peers():
    """Returns the names and versions of the peers and of Redis."""
    from importlib.metadata import version

    server = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    manifest = (HERE / "apalis/Cargo.toml").read_text()
    apalis = next(line.split('"')[1].strip("=") for line in manifest.splitlines() if line.startswith("apalis ="))
    return [("Redis", server.split("v=")[1].split()[0]), ("RQ", version("rq")), ("Celery", version("celery")), ("apalis", apalis)]


if __name__ == "__main__":
    main()
