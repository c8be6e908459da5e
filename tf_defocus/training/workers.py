"""Which of several worker processes this one is, as `TF_CONFIG` says.

Checked before TensorFlow reads it, whose own servers wait for a worker that another
cluster names.
"""

import dataclasses
import json
import os
import socket

VARIABLE = "TF_CONFIG"
_EXAMPLE = '{"cluster": {"worker": ["a:12345", "b:12345"]}, "task": {"type": "worker", "index": 0}}'  # noqa: E501


class WorkerLostError(OSError):
    """Another worker process ended or cannot be reached."""


@dataclasses.dataclass(frozen=True)
class Worker:
    """This process among those that train one network together.

    Attributes:
        index: int from 0, its place; the first one alone writes files.
        hosts: tuple of str "host:port" of all, in order; () where it is alone.
    """

    index: int = 0
    hosts: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether checkpoints, logs and weights are this process' to write."""
        return self.index == 0


def find_worker(strategy: str) -> Worker:
    """This process' place, for the strategy "multi_worker"; alone for all others.

    Raises:
        ValueError: if `TF_CONFIG` is missing, no JSON, or names no such worker.
    """
    if strategy != "multi_worker":
        return Worker()
    return _parse(os.environ.get(VARIABLE))


def set_worker(hosts: list[str], index: int) -> None:
    """Writes `TF_CONFIG` for this process.

    Args:
        hosts: list of str "host:port", the same for all workers.
        index: int from 0, of this one.

    Raises:
        ValueError: if a host has no port, is there twice, or there is no such index.
    """
    text = _text(hosts, index)
    _parse(text)
    os.environ[VARIABLE] = text


def local_environments(count: int) -> list[dict[str, str]]:
    """The variables of workers on this machine, at ports that are free now.

    Args:
        count: int, how many; a single one is no worker.

    Returns:
        list of dict, this process' environment, with each one's `TF_CONFIG`.
    """
    if count == 1:
        return [dict(os.environ)]
    servers = [socket.create_server(("localhost", 0)) for _ in range(count)]
    hosts = [f"localhost:{server.getsockname()[1]}" for server in servers]
    for server in servers:
        server.close()
    return [{**os.environ, VARIABLE: _text(hosts, index)} for index in range(count)]


def _text(hosts, index):
    return json.dumps(
        {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
    )


def _parse(text):
    try:
        config = json.loads(text or "null")
        cluster, task = config["cluster"], config["task"]
        hosts = [host for kind in ("chief", "worker") for host in cluster.get(kind, [])]
        place = task["index"] + (
            len(cluster.get("chief", [])) if task["type"] == "worker" else 0
        )
        known = task["type"] in cluster and task["index"] < len(cluster[task["type"]])
        known = known and task["index"] >= 0
        whole = all(host.rpartition(":")[2].isdecimal() for host in hosts)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"the strategy multi_worker needs --worker_hosts and --task_index, or "
            f"{VARIABLE} such as {_EXAMPLE}. Received: {text!r}"
        ) from error
    if not known:
        raise ValueError(f"{VARIABLE} names a task that its cluster lacks: {text}")
    if not whole or len(set(hosts)) < len(hosts):
        raise ValueError(f"workers must be different host:port. Received: {hosts}")
    return Worker(place, tuple(hosts))
