"""Refuses uploads that are too large for the page or for what is left of the disk.

Asked of the request's head, before a byte is stored, and answered in one line.
"""

import pathlib
import shutil

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

UPLOAD = "/gradio_api/upload"
_FOR_RESULTS = 3  # times the file's size: itself, what is restored, pictures of both


class UploadGuard:
    """A layer of the server that lets through all but such uploads.

    Args:
        app: what answers the rest.
        folder: path, where uploads are stored.
        max_bytes: int.
    """

    def __init__(self, app: ASGIApp, folder: pathlib.Path, max_bytes: int) -> None:
        self.app = app
        self.folder = folder
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, as of ASGI."""
        if scope["type"] == "http" and scope["path"] == UPLOAD:
            length = Headers(scope=scope).get("content-length", "")
            refusal = self._refusal(length)
            if refusal:
                await _drain(receive)
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refusal(self, length):
        if not length.isdecimal():
            return PlainTextResponse("The file's size is not told; try again", 411)
        if int(length) > self.max_bytes:
            limit = self.max_bytes / 2**20
            text = f"The file is larger than {limit:g} MB; see --max-megabytes"
            return PlainTextResponse(text, 413)
        if _FOR_RESULTS * int(length) > shutil.disk_usage(self.folder).free:
            text = f"The disk of {self.folder.parent} is full; free some space"
            return PlainTextResponse(text, 507)
        return None


async def _drain(receive):
    """Reads the rest of a request, without which browsers do not see the answer."""
    more = True
    while more:
        more = (await receive()).get("more_body", False)
