"""The page's server: this computer only, with limits, and nothing left behind."""

import argparse
import contextlib
import os
import socket
from collections.abc import Iterator

from tf_defocus.cli.app import sessions

_QUIET = {  # of gradio and what it brings
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


@contextlib.contextmanager
def serve(options: argparse.Namespace, host: str) -> Iterator[str]:
    """Serves the page while the block runs.

    Args:
        options: of `tf-defocus app`.
        host: the address it listens at, of this computer.

    Yields:
        str, the page's address.

    Raises:
        OSError: if the port is taken or the folder cannot be written.
    """
    with sessions.temporary_folder(options.folder) as folder:
        tabs = folder / "tabs"
        tabs.mkdir()
        os.environ.update(_QUIET, GRADIO_TEMP_DIR=str(folder / "uploads"))
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        from tf_defocus.cli.app import guard, page
        from tf_defocus.cli.app.worker import Worker
        from tf_defocus.reports import html_page

        worker = Worker()
        worker.start()
        limit = options.max_megabytes * 2**20
        shown = page.Page(
            sessions.Sessions(tabs), worker, options.preset, _fixed(options)
        )
        page.gr.set_static_paths([tabs])
        try:
            _, address, _ = shown.blocks.launch(
                server_name=host,
                server_port=options.port or _free_port(host),
                inbrowser=not options.no_browser,
                prevent_thread_lock=True,
                share=False,
                quiet=True,
                ssr_mode=False,
                show_error=True,
                footer_links=[],
                run_history=False,
                enable_monitoring=False,
                max_file_size=limit,
                theme=page.theme(),
                css=page.STYLE,
                head=f"<script>{html_page.SLIDER_SCRIPT}</script>",
                app_kwargs={
                    "middleware": [
                        Middleware(TrustedHostMiddleware, [host, "localhost"]),
                        Middleware(guard.UploadGuard, folder, limit),
                    ]
                },
            )
            yield address
        finally:
            shown.blocks.close(verbose=False)
            worker.end()


def _fixed(options):
    """Options of `tf-defocus deblur` that hold for every photograph of the page."""
    words = []
    if options.tile is not None:
        words += ["--tile", str(options.tile)]
    if options.precision != "float32":
        words += ["--precision", options.precision]
    if options.engine != "tensorflow":
        words += ["--engine", options.engine]
    if options.device != "auto":
        words += ["--device", options.device]
    return words


def _free_port(host):
    with socket.socket() as found:
        found.bind((host, 0))
        return found.getsockname()[1]
