"""Loads a server with good and bad requests from many clients, then stops it amid them.

    python tools/benchmark/serving.py --preset ifan_compact --page docs/serving.md

Starts `python -m tf_defocus.serving` on this machine. Of `--requests`, mixed in
protocol, size, dtype and format, each good one must be answered as the `Restorer`
answers, each bad one refused with a status of 4xx (or its like of gRPC) and a reason,
and memory must not grow. Then the same clients go on while the server gets SIGTERM:
what it accepted must be answered. Exits with 1 if something is not so. Without
`--page` the table is printed.
"""

import collections
import concurrent.futures
import pathlib
import random
import re
import sys
import threading
import time

import numpy as np
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.markdown_table import markdown_table

PRESET = flags.DEFINE_string("preset", "ifan_compact", "Of which views it likes.")
ENGINE = flags.DEFINE_string("engine", "tensorflow", "Of the server.")
REQUESTS = flags.DEFINE_integer("requests", 1000, "In all.", 10)
CLIENTS = flags.DEFINE_integer("clients", 16, "At a time.", 1)
BAD = flags.DEFINE_float("bad", 0.1, "Share of bad requests.", 0, 1)
SIZES = flags.DEFINE_list("sizes", ["32x32", "48x40", "61x37", "96x64"], "Mixed [px].")
PAGE = flags.DEFINE_string("page", None, "Page with the marks of the table, for docs.")
MEBIBYTES = 1  # that the server takes per request
TOLERANCE = {"uint8": 1.01 / 255, "uint16": 3e-5, "float32": 3e-5}
GROWTH = 64  # MiB that the server may grow by, from a tenth of the requests on
MARKS = ("<!-- load test -->\n", "<!-- end of load test -->\n")
REFUSED = (*range(400, 500), "INVALID_ARGUMENT", "NOT_FOUND")


class Tally:
    """What became of the requests; threads share it."""

    def __init__(self, pid):
        self._pid = pid
        self._lock = threading.Lock()
        self.outcomes = collections.Counter()
        self.wrong = []
        self.seconds = []
        self.memory = [memory_of(pid)]

    def count(self, outcome, seconds=None, wrong=None):
        """Counts one; the server's memory is read before, after a tenth, ... of all."""
        with self._lock:
            self.outcomes[outcome] += 1
            if seconds is not None:
                self.seconds.append(seconds)
            if wrong:
                self.wrong.append(wrong)
            total = self.outcomes.total()
            if total in (REQUESTS.value // 10, REQUESTS.value // 2, REQUESTS.value):
                self.memory.append(memory_of(self._pid))


def memory_of(pid):
    """Resident memory of a process in MiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) / 1024


def expected_of(restorer, samples):
    """The `Restorer`'s answers, in order."""
    return [restorer.restore(**sample.pixels) for sample in samples]


def ask(sample, expected, tally):
    """One good request, compared."""
    start = time.perf_counter()
    try:
        found = sample.ask()
    except Exception as error:  # each is a failure of the server, told at the end
        tally.count("lost", wrong=f"{sample.protocol}: {type(error).__name__}: {error}")
        return
    seconds = time.perf_counter() - start
    worst = difference(found, expected)
    if worst <= TOLERANCE[str(expected.dtype)]:
        tally.count("answered", seconds)
    else:
        tally.count("wrong", wrong=f"{sample.protocol}: differs by {worst:.2e}")


def difference(found, expected):
    """Of two photographs in [0, 1]; infinite where they are not even alike."""
    from tf_defocus.images import levels

    if found.shape != expected.shape or found.dtype != expected.dtype:
        return float("inf")
    return float(np.abs(levels.to_float(found) - levels.to_float(expected)).max())


def ask_badly(what, request, tally):
    """One bad request, which must be refused with a reason."""
    from tf_defocus.serving.clients import RefusedError

    try:
        request()
    except RefusedError as refused:
        reason = str(refused)
        told = reason and "Traceback" not in reason
        right = refused.status in REFUSED and told
        tally.count("refused" if right else "wrong", wrong=None if right else reason)
    except Exception as error:  # as above
        tally.count("lost", wrong=f"{what}: {type(error).__name__}: {error}")
    else:
        tally.count("wrong", wrong=f"{what}: was answered")


def load(samples, expected, bad, tally):
    """All requests, in an order that is the same each time.

    Returns:
        float, seconds.
    """
    order = random.Random(0)
    num_bad = round(REQUESTS.value * BAD.value)
    kinds = [True] * num_bad + [False] * (REQUESTS.value - num_bad)
    order.shuffle(kinds)
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(CLIENTS.value) as clients:
        for number, is_bad in enumerate(kinds):
            if is_bad:
                what = list(bad)[number % len(bad)]
                clients.submit(ask_badly, what, bad[what], tally)
            else:
                chosen = order.randrange(len(samples))
                clients.submit(ask, samples[chosen], expected[chosen], tally)
    return time.perf_counter() - start


def stop_amid(server, samples, expected, wait=2.0):
    """SIGTERM while every client asks again and again.

    Returns:
        `(answered, wrong, exit_code, last_line)`; answers after the signal are among
        those answered.
    """
    from tf_defocus.serving.clients import UnavailableError

    answers, wrong = [], []

    def go_on(number):
        for turn in range(10_000):
            chosen = (number + CLIENTS.value * turn) % len(samples)
            try:
                found = samples[chosen].ask()
            except UnavailableError:
                return
            answers.append(time.perf_counter())
            limit = TOLERANCE[str(found.dtype)]
            if difference(found, expected[chosen]) > limit:
                wrong.append(samples[chosen].protocol)

    with concurrent.futures.ThreadPoolExecutor(CLIENTS.value) as clients:
        waiting = [clients.submit(go_on, number) for number in range(CLIENTS.value)]
        time.sleep(wait)
        signalled = time.perf_counter()
        code, said = server.stop()
        for future in waiting:
            future.result()
    after = sum(moment > signalled for moment in answers)
    return len(answers), after, wrong, code, said


def describe(tally, seconds, stopped, said):
    """The section of the page."""
    from tf_defocus.evaluation import cost

    answered, after, _, code, line = stopped
    median, high = np.percentile(tally.seconds, (50, 95))
    rows = [
        ("requests, clients", f"{REQUESTS.value:,}, {CLIENTS.value}"),
        ("good ones answered as the `Restorer` does", f"{tally.outcomes['answered']}"),
        ("bad ones refused, with a reason", f"{tally.outcomes['refused']}"),
        ("wrong, lost", f"{tally.outcomes['wrong']}, {tally.outcomes['lost']}"),
        ("requests per second", f"{REQUESTS.value / seconds:.1f}"),
        ("latency, median and 95 % [s]", f"{median:.2f}, {high:.2f}"),
        ("memory before; at 10, 50, 100 % [MiB]",
         "; ".join(f"{m:.0f}" for m in tally.memory)),
        ("SIGTERM: answered before, after", f"{answered - after}, {after}"),
        ("SIGTERM: what the server said", f"exit code {code}, {line}"),
    ]  # fmt: skip
    table = markdown_table(("", said), rows, num_texts=1)
    machine = cost.describe_machine()
    return (
        f"\n{machine['processor']}, {machine['cores']} cores, which server and clients "
        f"share. The load average was {machine['load_average']:.0f}: above the number "
        f"of cores, other programs ran too.\n\n{table}\n"
    )


def write_page(path, text):
    """Puts the section between its marks."""
    page = pathlib.Path(path).read_text()
    start, end = MARKS
    if page.count(start) != 1 or page.count(end) != 1:
        raise ValueError(f"{path}: expected the lines {start.strip()}, {end.strip()}")
    before, after = page.split(start)[0], page.split(end)[1]
    whole_files.write_text(path, f"{before}{start}{text}{end}{after}")


def check(tally, stopped, num_before):
    """List of what is not as it should be."""
    answered, _, wrong, code, line = stopped
    found = [*tally.wrong, *wrong]
    if tally.memory[-1] - tally.memory[1] > GROWTH:
        found.append(f"memory grew: {tally.memory}")
    total = num_before + answered
    if code or line != f"stopped: {total} requests accepted, {total} answered":
        found.append(f"{total} were answered to clients; exit code {code}, {line!r}")
    return found


def main(_):
    """Starts, loads, stops, tells."""
    sys.argv = sys.argv[:1]  # KServe reads flags of its own
    from tf_defocus.restoration import Restorer
    from tf_defocus.serving.process import ServerProcess
    from tf_defocus.serving.sample_requests import Requests

    restorer = Restorer.from_preset(PRESET.value)
    options = {"preset": PRESET.value, "engine": ENGINE.value, "timeout": 120}
    options["max_mebibytes"] = MEBIBYTES
    server = ServerProcess([f"--{key}={value}" for key, value in options.items()])
    views = restorer.view_names
    requests = Requests(server.url, server.target, server.model, views)
    rng, samples = np.random.default_rng(0), []
    for size in SIZES.value:
        width, height = map(int, size.split("x"))
        samples += requests.good(rng, height, width)
    expected = expected_of(restorer, samples)
    bad = requests.bad(MEBIBYTES << 20)
    tally = Tally(server.process.pid)
    seconds = load(samples, expected, bad, tally)
    num_before = tally.outcomes.total()
    stopped = stop_amid(server, samples, expected)
    text = describe(tally, seconds, stopped, f"`{PRESET.value}`, {ENGINE.value}")
    if PAGE.value:
        write_page(PAGE.value, text)
    print(text)
    wrong = check(tally, stopped, num_before)
    if wrong:
        raise ValueError("; ".join(dict.fromkeys(wrong)))


if __name__ == "__main__":
    commands.run(main)
