"""Which engine computes a network fastest on this machine: measured once, remembered.

    $TF_DEFOCUS_CACHE/engines/choices.json    digest -> engine and seconds

The digest is of the processor, the number of threads, the network's configuration, its
precision and the versions of all engines that are installed. Weights do not count: they
do not alter the time.
"""

import json
import math
import pathlib
import statistics
import sys
import time

import keras
import numpy as np

from tf_defocus import whole_files
from tf_defocus.models.base import RestorationNetwork
from tf_defocus.models.manifest import read_json
from tf_defocus.restoration.engines import engine, graph_cache
from tf_defocus.restoration.engines.keras_engine import KerasEngine

CHOICES = "choices.json"
SIDE = 256  # [px], about, of the image that is timed
ROUNDS = 3
# Another engine must be so much faster than Keras: less is the noise of a measurement.
CLEAR_GAIN = 0.9


def fastest_engine(network: RestorationNetwork, batch_statistics: bool) -> str:
    """The fastest of the installed engines, as measured now or before.

    On another backend than TensorFlow, and where TensorFlow sees a GPU, nothing is
    measured and Keras computes.

    Args:
        network: the network.
        batch_statistics: bool, whether to normalise by the images at hand.

    Returns:
        str, of `engine.ENGINES` but "auto".
    """
    others = candidates(network)
    if not others:
        return "tensorflow"
    packages = [p for name in others for p in engine.packages_of(name)]
    key = graph_cache.digest(
        {
            **graph_cache.describe(network, ("tensorflow", *packages)),
            "precision": engine.precision_of(network),
            "batch_statistics": batch_statistics,
            "processor": _processor(),
            "threads": engine.thread_count(),
        }
    )
    try:
        folder = graph_cache.engines_folder()
    except OSError as error:
        print(f"{error}; TensorFlow computes", file=sys.stderr)
        return "tensorflow"
    known = _read(folder).get(key, {})
    if known.get("engine") in ("tensorflow", *others):
        return known["engine"]
    print(f"measuring which engine is fastest for {network.name}", file=sys.stderr)
    seconds = measure(network, batch_statistics, others)
    name = choose(seconds)
    entry = {"engine": name, "seconds": seconds, "network": network.name}
    text = json.dumps({**_read(folder), key: entry}, indent=2) + "\n"
    whole_files.write_text(folder / CHOICES, text)
    return name


def choose(seconds: dict[str, float]) -> str:
    """The engine to take: the fastest, if it is clearly faster than Keras."""
    name = min(seconds, key=seconds.get)
    clear = seconds[name] <= CLEAR_GAIN * seconds["tensorflow"]
    return name if clear else "tensorflow"


def measure(
    network: RestorationNetwork, batch_statistics: bool, candidates: list[str]
) -> dict[str, float]:
    """Seconds of one call, by engine, in turns; without those that cannot convert it.

    Args:
        network, batch_statistics: see `fastest_engine`.
        candidates: names of converting engines.
    """
    inputs = {"inputs": _photograph(network)}
    calls = {"tensorflow": KerasEngine(network, batch_statistics).run}
    for name in candidates:
        converted = engine.ConvertedEngine(name, network, batch_statistics)
        try:
            function = converted.converted("call", inputs)
        except engine.ConversionError:
            continue
        calls[name] = lambda _, given, function=function: function(given)
    for call in calls.values():
        call("call", inputs)  # compiles
    seconds = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call("call", inputs)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def candidates(network: RestorationNetwork) -> list[str]:
    """Engines besides Keras that may compute a network here."""
    if keras.backend.backend() != "tensorflow":
        return []
    if any("gpu" in device.lower() for device in keras.distribution.list_devices()):
        return []  # the others would leave it idle
    precision = engine.precision_of(network)
    return [
        name
        for name in engine.CONVERTED
        if not engine.missing_packages(name) and precision in engine.precisions_of(name)
    ]


def _photograph(network):
    """Noise for every input, (1, height, width, channels) float32."""
    height, width = (m * math.ceil(SIDE / m) for m in network.size_multiple)
    rng = np.random.default_rng(0)
    shape = (1, height, width, 3)
    views = {name: rng.random(shape, dtype=np.float32) for name in network.view_names}
    maps = network.frame_maps(height, width)
    maps = {k: keras.ops.convert_to_numpy(v)[None] for k, v in maps.items()}
    return {**views, **maps}


def _read(folder):
    """What was remembered; nothing where the file is not there or damaged."""
    try:
        choices = read_json(folder / CHOICES)
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in choices.items() if isinstance(v, dict)}


def _processor():
    path = pathlib.Path("/proc/cpuinfo")
    if not path.exists():
        return ""
    kept = ("model name", "flags", "Features", "Hardware")
    lines = path.read_text().splitlines()
    return "\n".join(sorted({line for line in lines if line.startswith(kept)}))
