"""Kills a restoration on Apache Beam in the middle, and counts what came of it.

    python tools/benchmark/beam_restart.py --photographs 2000 --broken 20 --kills 2

Small photographs, some of them broken, are restored by `tools/restore_beam.py` in
several processes. SIGKILL hits them after equal parts of the outputs: all processes at
the last time, the main process alone at the one before, and so on in turn; the same
command is given again until it ends by itself. Prints the outputs of each run and the
memory of its processes; exits with 1 if a photograph is missing, done twice or
half-written, or a refusal is not named.
"""

import contextlib
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import flags

from tf_defocus import commands
from tf_defocus.images import Image, read_image, write_image

PHOTOGRAPHS = flags.DEFINE_integer("photographs", 2000, "In all.", 10)
BROKEN = flags.DEFINE_integer("broken", 20, "Of them, not to be read.", 0)
KILLS = flags.DEFINE_integer("kills", 2, "How often it is killed.", 0)
PROCESSES = flags.DEFINE_integer("processes", 2, "That restore.", 1)
PRESET = flags.DEFINE_string("preset", "gkmnet", "What restores.")
SIZES = ((24, 32), (32, 24), (48, 48), (40, 48))
TOOL = pathlib.Path(__file__).resolve().parent.parent / "restore_beam.py"
REPORTS = ("refusals.jsonl", "notes.jsonl")
SECONDS = 1800  # a run that takes longer has failed
POLL = 0.02  # small photographs are many in a second
SAMPLE = 0.25  # between two looks at the memory


def write_photographs(folder, count, broken):
    """Noise of a few sizes, PNG and JPEG, evenly strewn with broken files.

    Returns:
        (good, bad): sets of names.
    """
    folder.mkdir()
    rng = np.random.default_rng(count)
    bad_ones = set(np.linspace(0, count - 1, broken).astype(int).tolist())
    good, bad = set(), set()
    for index in range(count):
        name = f"{index:06d}{('.png', '.jpg')[index % 2]}"
        path = folder / name
        pixels = rng.integers(0, 256, (*SIZES[index % len(SIZES)], 3)).astype(np.uint8)
        write_image(path, Image(pixels))
        (bad if index in bad_ones else good).add(name)
        if index in bad_ones:
            data = path.read_bytes()
            parts = (b"", b"no picture", data[: len(data) // 2], data[:40])
            path.write_bytes(parts[len(bad) % len(parts)])
    return good, bad


@contextlib.contextmanager
def started(source, output):
    """The tool as a process with a session of its own, which ends with the block."""
    command = [sys.executable, str(TOOL), f"--input={source}/**", f"--output={output}"]
    command += [f"--processes={PROCESSES.value}", f"--preset={PRESET.value}"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=quiet, text=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def processes_of(session):
    """dict, number of each process of a session -> its memory [MiB]."""
    found = {}
    page = os.sysconf("SC_PAGE_SIZE") / 2**20
    for entry in os.listdir("/proc"):
        try:
            fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1]
            number, ended = int(entry), fields.split()[0] == "Z"
            if int(fields.split()[3]) == session and not ended:
                memory = pathlib.Path(f"/proc/{entry}/statm").read_text().split()[1]
                found[number] = int(memory) * page
        except (OSError, ValueError, IndexError):  # no process, or one just ended
            continue
    return found


def outputs_of(output):
    """dict, name -> time it was written, of the outputs there are."""
    if not output.exists():
        return {}
    files = [path for path in output.iterdir() if path.is_file()]
    return {p.name: p.stat().st_mtime_ns for p in files if p.name not in REPORTS}


def watch(process, output, stop_at):
    """Waits until so many outputs are there or the process has ended.

    Returns:
        List of (number of outputs, dict of `processes_of`).
    """
    samples, began, due = [], time.monotonic(), 0.0
    while process.poll() is None:
        now = time.monotonic() - began
        if now > SECONDS:
            raise ValueError(f"A run took more than {SECONDS} s; run the tool by hand")
        count = len(outputs_of(output))
        if now >= due:
            samples.append((count, processes_of(process.pid)))
            due = now + SAMPLE
        if count >= stop_at:
            break
        time.sleep(POLL)
    return samples


def kill(process, alone):
    """SIGKILL; returns how long the last of its processes lived on [s]."""
    began = time.monotonic()
    (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
    process.wait()
    while processes_of(process.pid):
        if time.monotonic() - began > SECONDS:
            raise ValueError("Processes live on; end them by hand")
        time.sleep(POLL)
    return time.monotonic() - began


def memory_growth(samples):
    """(first, last): memory of the largest process [MiB], by halves of the outputs.

    The median over samples in which the outputs grew by 25 to 50 %, and by the last
    quarter: by then the network has been compiled.
    """
    counts = [count for count, _ in samples]
    low, high = min(counts), max(counts)
    parts = {"first": [], "last": []}
    for count, memory in samples:
        share = (count - low) / max(1, high - low)
        if memory and 0.25 <= share < 0.5:
            parts["first"].append(max(memory.values()))
        elif memory and 0.75 <= share < 1:
            parts["last"].append(max(memory.values()))
    return tuple(statistics.median(part) if part else 0.0 for part in parts.values())


def report_run(number, before, after, samples, what):
    """Says one run; returns the names of those that were written again."""
    again = {name for name in before if after.get(name) != before[name]}
    first, last = memory_growth(samples)
    print(
        f"run {number}: {len(after) - len(before)} outputs, {len(again)} done again, "
        f"largest process {first:.0f} MiB in the second quarter and {last:.0f} MiB in "
        f"the last; {what}",
        flush=True,
    )
    return again


def check(source, output, good, bad):
    """What is wrong with the outputs: list of str."""
    wrong = []
    written = set(outputs_of(output))
    if written != good:
        wrong.append(f"{len(good - written)} missing, {len(written - good)} too many")
    for name in sorted(written & good):
        size = read_image(source / name).pixels.shape
        if read_image(output / name).pixels.shape != size:
            wrong.append(f"{name} has another size")
    lines = (output / REPORTS[0]).read_text().splitlines() if bad else []
    refused = [pathlib.Path(json.loads(line)["name"]).name for line in lines]
    if sorted(refused) != sorted(bad) or not all(
        json.loads(x)["reason"] for x in lines
    ):
        wrong.append(f"{len(refused)} refusals for {len(bad)} broken photographs")
    partial = [path for path in output.rglob("*") if "partial" in path.name]
    if partial:
        wrong.append(f"left behind: {partial}")
    return wrong


def run_once(number, process, output, num_good):
    """One run, killed unless it is the last; returns the names written again."""
    before = outputs_of(output)
    is_last = number == KILLS.value
    share = (number + 1) / (KILLS.value + 1)
    samples = watch(process, output, num_good + 1 if is_last else int(share * num_good))
    if is_last:
        what = process.communicate()[0].partition("\n")[0]
    else:
        alone = (KILLS.value - number) % 2 == 0
        lived = kill(process, alone)
        whom = "the main process" if alone else "all processes"
        what = f"SIGKILL to {whom}, the last ended {lived:.1f} s later"
    return report_run(number + 1, before, outputs_of(output), samples, what)


def main(_):
    """Kills, restarts, counts."""
    with tempfile.TemporaryDirectory() as name:
        source, output = pathlib.Path(name, "photographs"), pathlib.Path(name, "out")
        good, bad = write_photographs(source, PHOTOGRAPHS.value, BROKEN.value)
        again = set()
        for number in range(KILLS.value + 1):
            with started(source, output) as process:
                again |= run_once(number, process, output, len(good))
        wrong = check(source, output, good, bad)
    wrong += [f"{len(again)} were written again"] if again else []
    print(
        f"{len(good)} good photographs once, {len(bad)} refusals named, none partial"
        if not wrong
        else "; ".join(wrong)
    )
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    commands.run(main)
