"""Stand-ins for the process that restores, where a new process can import them."""

import os
import pathlib
import time


def counting(connection):
    """Reports three steps and returns its arguments."""
    while True:
        arguments = connection.recv()
        for step in range(3):
            connection.send(("progress", (step + 1, 3)))
        connection.send(("restored", tuple(arguments)))


def refusing(connection):
    """Fails with a line."""
    while True:
        connection.recv()
        connection.send(("failed", "a.png: the disk is full; free some space"))


def dying(connection):
    """Ends without a word, as if the system had killed it; the second one answers."""
    path = pathlib.Path(connection.recv()[0])
    if not path.exists():
        path.touch()
        os._exit(1)
    connection.send(("restored", ()))


def sleeping(connection):
    """Is busy for a minute."""
    connection.recv()
    time.sleep(60)
