"""Serves one model over HTTP (protocols v1 and v2) and gRPC (v2).

    python -m tf_defocus.serving --preset kpac_3level
    python -m tf_defocus.serving --saved_model served/kpac_3level/1 --name kpac_3level

Stops on SIGTERM, after what was accepted is answered. `docs/serving.md` tells the rest.
"""

import pathlib
import sys

from absl import flags

from tf_defocus import commands
from tf_defocus.serving.limits import MEBIBYTE, Limits

_DEFAULTS = Limits()
_PRESET = flags.DEFINE_string("preset", None, "Name, or folder of a run.")
_SAVED_MODEL = flags.DEFINE_string("saved_model", None, "Exported folder instead.")
_ENGINE = flags.DEFINE_enum(
    "engine",
    "tensorflow",
    ("auto", "tensorflow", "native", "onnxruntime", "openvino"),
    "Of --preset; auto: the fastest that is installed, measured once per machine.",
)
_NAME = flags.DEFINE_string("name", None, "Of the model [that of the preset].")
_HOST = flags.DEFINE_string("host", "127.0.0.1", "Address; 0.0.0.0 for all networks.")
_HTTP_PORT = flags.DEFINE_integer("http_port", 8080, "0 for any.", 0, 65535)
_GRPC_PORT = flags.DEFINE_integer("grpc_port", 8081, "0 for any.", 0, 65535)
_MAX_MEBIBYTES = flags.DEFINE_integer(
    "max_mebibytes", _DEFAULTS.max_request_bytes // MEBIBYTE, "Of one request.", 1
)
_MAX_MEGAPIXELS = flags.DEFINE_float(
    "max_megapixels", _DEFAULTS.max_pixels / 1e6, "Of one request.", 1e-6
)
_MAX_REQUESTS = flags.DEFINE_integer(
    "max_requests", _DEFAULTS.max_requests, "Open at a time.", 1
)
_MAX_BATCH = flags.DEFINE_integer(
    "max_batch", _DEFAULTS.max_batch, "Photographs of one size computed at once.", 1
)
_TIMEOUT = flags.DEFINE_float("timeout", _DEFAULTS.timeout, "[s], of a request.", 0.001)


def main(_):
    """Loads, warms up and serves."""
    if (_PRESET.value is None) == (_SAVED_MODEL.value is None):
        raise ValueError("give --preset or --saved_model, one of them")
    sys.argv = sys.argv[:1]  # KServe reads flags of its own when it is imported
    from tf_defocus.serving import hosts, server

    host = _load()
    hosts.warm_up(host)
    max_pixels = int(_MAX_MEGAPIXELS.value * 1e6)
    if _SAVED_MODEL.value:
        max_pixels = min(max_pixels, host.max_pixels)
    limits = Limits(
        max_request_bytes=_MAX_MEBIBYTES.value * MEBIBYTE,
        max_pixels=max_pixels,
        max_requests=_MAX_REQUESTS.value,
        max_batch=_MAX_BATCH.value,
        max_batch_pixels=min(_DEFAULTS.max_batch_pixels, max_pixels),
        timeout=_TIMEOUT.value,
    )
    address = server.Address(_HOST.value, _HTTP_PORT.value, _GRPC_PORT.value)
    name = _NAME.value or pathlib.Path(_PRESET.value or _SAVED_MODEL.value).name
    server.run(name, host, address, limits)


def _load():
    if _SAVED_MODEL.value:
        from tf_defocus.export.exported_restorer import ExportedRestorer

        return ExportedRestorer(_SAVED_MODEL.value)
    from tf_defocus.restoration.restorer import Restorer

    return Restorer.from_preset(_PRESET.value, engine=_ENGINE.value)


if __name__ == "__main__":
    commands.run(main)
