"""The job of RQ for the comparison in queues.py."""

import os

import redis

CONNECTION = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://"))


def publish(name):
    """Publishes the name of a job, unless it is one of the jobs whose rate is measured."""
    if not name.startswith("rate"):
        CONNECTION.publish("dispatched", name)
