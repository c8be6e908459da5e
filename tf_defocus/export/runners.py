"""Exported files in the runtimes they are for, and what they cost there.

As a program, it measures one file in a process of its own, which holds nothing else:

    python runners.py FILE PRECISION DTYPE HEIGHT WIDTH VIEW [VIEW ...]
"""

import json
import os
import pathlib
import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

OUTPUT = "deblurred"
REPEATS = 5
_HINTS = {"bfloat16": "bf16"}


def open_exported(path: str | os.PathLike, precision: str = "float32") -> Callable:
    """A function that runs an exported file on this machine's processors.

    Args:
        path: of a SavedModel's folder, or of an `.onnx`, `.xml` or `.tflite` file.
        precision: str, in which OpenVINO computes; the others as the file says.

    Returns:
        Function of a dict, view -> (batch, height, width, 3) of the file's dtype,
        that returns the restored images, alike in shape and dtype.
    """
    path = pathlib.Path(path)
    openers = {".onnx": _open_onnx, ".xml": _open_openvino, ".tflite": _open_litert}
    return openers.get(path.suffix, _open_saved_model)(os.fspath(path), precision)


def _open_onnx(path, _):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda views: session.run([OUTPUT], views)[0]


def _open_openvino(path, precision):
    import openvino

    # Left to itself it takes bfloat16 where the processor has it.
    settings = {"INFERENCE_PRECISION_HINT": _HINTS.get(precision, "f32")}
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    return lambda views: np.array(compiled(views)[OUTPUT])


def _open_litert(path, _):
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(path)
    inputs = {each["name"]: each for each in interpreter.get_input_details()}
    (output,) = interpreter.get_output_details()

    def run(views):
        for name, view in views.items():
            interpreter.resize_tensor_input(inputs[name]["index"], view.shape)
        interpreter.allocate_tensors()
        for name, view in views.items():
            interpreter.set_tensor(inputs[name]["index"], view)
        interpreter.invoke()
        return interpreter.get_tensor(output["index"])

    return run


def _open_saved_model(path, _):
    import tensorflow as tf

    loaded = tf.saved_model.load(path)

    def run(views):
        views = {name: tf.constant(view) for name, view in views.items()}
        is_float = next(iter(views.values())).dtype.is_floating
        name = "serving_default" if is_float else "uint8"
        return loaded.signatures[name](**views)[OUTPUT].numpy()

    return run


def _peak_mib():
    """The most that this process held; Linux' `ru_maxrss` knows its parent's, too."""
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _measure(path, precision, dtype, height, width, *names):
    """Prints the median seconds and the peak memory of one image, as JSON."""
    run = open_exported(path, precision)
    shape = (1, int(height), int(width), 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pixels = pixels if dtype == "uint8" else pixels / np.float32(255)
    views = dict.fromkeys(names, pixels)
    run(views)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run(views)
        seconds.append(time.perf_counter() - start)
    cost = {"seconds": statistics.median(seconds), "peak_process_mib": _peak_mib()}
    print(json.dumps(cost))


if __name__ == "__main__":
    _measure(*sys.argv[1:])
