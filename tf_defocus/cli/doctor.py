"""`tf-defocus doctor`: versions, devices and presets of this machine."""

import importlib.metadata
import platform
import subprocess

from tf_defocus import __version__, commands
from tf_defocus.cli.arguments import fail

PACKAGES = ("keras", "tensorflow", "jax", "numpy", "opencv-python-headless", "Pillow")


def diagnose(_):
    """`tf-defocus doctor`: prints what there is; returns 1 if something is missing."""
    print(f"tf_defocus {__version__}, Python {platform.python_version()}")
    for package in PACKAGES:
        print(f"  {package}: {_version(package)}")
    commands.require_backend()
    import keras

    devices = keras.distribution.list_devices()
    print(f"backend {keras.backend.backend()}, devices: {', '.join(devices)}")
    found = any(kind in d.lower() for d in devices for kind in ("gpu", "cuda", "tpu"))
    for line in _graphics_cards(found):
        print(f"  {line}")
    print(f"native adaptive convolution: {_native_operation(keras)}")
    return _verify_presets()


def _verify_presets():
    from tf_defocus.models import manifest

    try:
        folder = manifest.checkpoints_folder()
        names = manifest.list_presets(folder)
    except manifest.PresetError as error:
        return fail(error)
    if not names:
        return fail(f"{folder} holds no preset; install tf_defocus again")
    damaged = 0
    for name in names:
        try:
            manifest.verify_preset(name, folder)
            print(f"preset {name}: sha256 is right")
        except manifest.PresetError as error:
            damaged = fail(f"preset {name}: {error}")
    return damaged


def _graphics_cards(found):
    """What driver and packages say of GPUs; `found` says whether Keras uses one."""
    if not found:
        yield "no GPU found: a 24-megapixel photograph takes minutes"
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version"]
    try:
        done = subprocess.run(
            [*query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # no driver of NVIDIA's
    for line in done.stdout.splitlines():
        yield f"card, memory, driver: {line.strip()}"
    if done.stdout and not found:
        yield 'the backend does not use this card: pip install "tf-defocus[gpu]"'
    for package in ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13"):
        if _version(package) != "not installed":
            yield f"cuDNN: {package} {_version(package)}"


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _native_operation(keras):
    if keras.backend.backend() != "tensorflow":
        return "not used on this backend"
    from tf_defocus.ops import adaptive_convolution_native as native

    try:
        native.load()
    except native.NativeKernelError as error:
        return f"not available, the portable one is used ({error})"
    gpu = native.toolchain().gpu
    return "built and loaded, for processor and GPU" if gpu else "built and loaded"
