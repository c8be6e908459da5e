"""A server in a process of its own, for load tests and for programs that need one."""

import re
import subprocess
import sys
from collections.abc import Sequence

_SAID = re.compile(r"serving (\S+): (http://\S+) .* grpc (\S+) ")
STOPS_WITHIN = 120.0  # [s]


class ServerProcess:
    """Starts `python -m tf_defocus.serving` on free ports of this machine and waits.

    Args:
        arguments: of the command, such as `["--preset", "gkmnet"]`.

    Attributes:
        model: str, the model's name.
        url: str, of HTTP.
        target: str, of gRPC.
        process: `subprocess.Popen`.

    Raises:
        RuntimeError: if it does not start; its error output says why.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-m", "tf_defocus.serving", *map(str, arguments)]
        self.process = subprocess.Popen(
            [*command, "--http_port=0", "--grpc_port=0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        said = _SAID.match(self.process.stdout.readline())
        if not said:
            raise RuntimeError(f"no server: exit code {self.process.wait()}")
        self.model, self.url, self.target = said.groups()

    def __enter__(self) -> "ServerProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> tuple[int, str]:
        """Sends SIGTERM and waits.

        Returns:
            `(exit_code, last_line)`: int, and what the server said at last.
        """
        self.process.terminate()
        said, _ = self.process.communicate(timeout=STOPS_WITHIN)
        lines = said.splitlines()
        return self.process.returncode, lines[-1] if lines else ""
