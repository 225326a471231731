"""The app and the task of Celery for the comparison in queues.py."""

import os

import celery

import queue_jobs


def create(url):
    """Returns an app and its task."""
    app = celery.Celery(broker=url, backend=url)
    # As with the other workers, an entry of a worker that vanishes is not lost.
    app.conf.task_acks_late = True
    return app, app.task(queue_jobs.publish, name="publish")


app, publish = create(os.environ.get("REDIS_URL"))
