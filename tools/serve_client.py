"""Sends photographs to a server: files or a folder in, a folder out.

    python tools/serve_client.py --input photos --output restored \\
        --server http://localhost:8080 --name kpac_3level
    python tools/serve_client.py --input photos --output restored \\
        --protocol tensorflow_serving --server localhost:8500 --name kpac_3level

Files, depths, colours and metadata are treated as `tf-defocus deblur` does; only arrays
travel. What fails for want of a server is tried again, after 0.5, 1, 2, ... s.
"""

import pathlib
import sys
import types

from absl import flags

from tf_defocus import commands

PROTOCOLS = ("v1", "v2", "v2_grpc", "tensorflow_serving")
_INPUT = flags.DEFINE_multi_string("input", None, "Photograph or folder; may be given.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder, or file for one file.")
_SERVER = flags.DEFINE_string("server", None, "http://HOST:PORT; of gRPC HOST:PORT.")
_NAME = flags.DEFINE_string("name", None, "Of the server's model.")
_PROTOCOL = flags.DEFINE_enum("protocol", "v2", PROTOCOLS, "How to speak to it.")
_VIEWS = flags.DEFINE_list("views", ["blurred"], "With v1, which does not tell them.")
_ATTEMPTS = flags.DEFINE_integer("attempts", 6, "Per photograph, at most.", 1)
_TIMEOUT = flags.DEFINE_float("timeout", 120.0, "[s], of one attempt.", 0.001)
_RECURSIVE = flags.DEFINE_bool("recursive", False, "Search folders in the folder.")
_SKIP_EXISTING = flags.DEFINE_bool("skip_existing", False, "Keep outputs that exist.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace outputs that exist.")
_QUIET = flags.DEFINE_bool("quiet", False, "No progress bar.")


def make_client():
    """The client that the flags name."""
    server, model, timeout = _SERVER.value, _NAME.value, _TIMEOUT.value
    is_url = server.startswith(("http://", "https://"))
    if is_url != (_PROTOCOL.value in ("v1", "v2")):
        wanted = "HOST:PORT" if is_url else "http://HOST:PORT"
        raise ValueError(f"--protocol {_PROTOCOL.value} wants --server {wanted}")
    from tf_defocus.serving import clients

    if _PROTOCOL.value == "v1":
        return clients.V1Client(server, model, timeout, tuple(_VIEWS.value))
    if _PROTOCOL.value == "v2":
        return clients.V2Client(server, model, timeout)
    from tf_defocus.serving import grpc_clients

    if _PROTOCOL.value == "v2_grpc":
        return grpc_clients.V2GrpcClient(server, model, timeout)
    return grpc_clients.TensorFlowServingClient(server, model, timeout)


def main(_):
    """Finds the photographs and sends one after another; exits with 1 if one failed."""
    sources, output = map(pathlib.Path, _INPUT.value), pathlib.Path(_OUTPUT.value)
    sources = list(sources)
    sys.argv = sys.argv[:1]  # KServe reads flags of its own
    from tqdm import tqdm

    from tf_defocus.cli import deblur
    from tf_defocus.restoration import photo_jobs
    from tf_defocus.serving.clients import RemoteRestorer

    photo_jobs.check_sources(sources, output)
    restorer = RemoteRestorer(
        make_client(), _ATTEMPTS.value, say=lambda line: tqdm.write(line, sys.stderr)
    )
    naming = photo_jobs.Naming(output)
    jobs, left_out = photo_jobs.find_jobs(
        sources, restorer.view_names, naming, recursive=_RECURSIVE.value
    )
    options = types.SimpleNamespace(
        quiet=_QUIET.value,
        skip_existing=_SKIP_EXISTING.value,
        overwrite=_OVERWRITE.value,
        check_views=False,
    )
    code = deblur.run_batch(jobs, left_out, restorer, options, None)
    if code:
        sys.exit(code)


if __name__ == "__main__":
    flags.mark_flags_as_required(["input", "output", "server", "name"])
    commands.run(main)
