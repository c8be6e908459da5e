"""Starts several workers of a training on this machine, to try what clusters do.

    python tools/launch_local.py --workers 2 -- --recipe NAME --output FOLDER

What follows `--` goes to `tools/train.py`. Each worker's lines begin with its number.
When one ends with an error, the others end too, and the exit code is its own.
"""

import contextlib
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

from absl import flags

from tf_defocus import commands

_WORKERS = flags.DEFINE_integer("workers", 2, "How many processes.", 1)
_PATIENCE = flags.DEFINE_float("patience", 60, "Seconds for the others to end.", 0)
_TRAIN = pathlib.Path(__file__).resolve().parent / "train.py"


def free_ports(count):
    """Ports of this machine that nothing listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("localhost", 0))
        return [probe.getsockname()[1] for probe in sockets]


def start(index, hosts, arguments):
    """One worker, and the thread that shows its lines."""
    command = [sys.executable, str(_TRAIN), "--strategy=multi_worker", *arguments]
    places = [f"--worker_hosts={','.join(hosts)}", f"--task_index={index}"]
    worker = subprocess.Popen(
        [*command, *places], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )

    def show():
        for line in worker.stdout:
            print(f"[{index}] {line}", end="", flush=True)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    return worker, thread


def wait(workers):
    """Waits for all; after an error the others get some seconds. Returns its code."""
    failed, deadline = 0, float("inf")
    while any(worker.poll() is None for worker in workers):
        codes = [worker.poll() for worker in workers]
        failed = failed or next((code for code in codes if code), 0)
        if failed and deadline == float("inf"):
            deadline = time.monotonic() + _PATIENCE.value
        if time.monotonic() > deadline:
            for worker in workers:
                worker.kill()
        time.sleep(0.2)
    failed = failed or next((w.returncode for w in workers if w.returncode), 0)
    return 128 - failed if failed < 0 else failed


def main(arguments):
    """Starts the workers, hands Ctrl-C and SIGTERM on, and waits."""
    hosts = [f"localhost:{port}" for port in free_ports(_WORKERS.value)]
    started = [start(index, hosts, arguments[1:]) for index in range(len(hosts))]
    workers = [worker for worker, _ in started]

    def hand_on(number, _frame):
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)
    code = wait(workers)
    for _, thread in started:
        thread.join()
    sys.exit(code)


if __name__ == "__main__":
    commands.run(main)
