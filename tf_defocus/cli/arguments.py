"""What arguments of the command may be, and how a fault is said."""

import argparse
import os
import pathlib
import sys


def tile(text):
    """0 or a number of pixels."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be 0 or a number of pixels")
    return int(text)


def share(text):
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return value


def device(text):
    """`cpu:0`, `gpu:1` or so, or None for any."""
    kind, colon, number = text.lower().partition(":")
    if kind not in ("auto", "cpu", "gpu") or (colon and not number.isdecimal()):
        raise argparse.ArgumentTypeError("must be auto, cpu, gpu or such as gpu:1")
    return f"{kind}:{number or 0}" if kind != "auto" else None


def path(text):
    """A path that is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; give a file or a folder")
    return pathlib.Path(text)


def suffix(text):
    """What is added to the name of a file."""
    if "/" in text or os.sep in text:
        raise argparse.ArgumentTypeError("must not hold a slash; folders go to -o")
    return text


def fail(message, code=1):
    """Says in one line what is wrong; returns the exit code."""
    print(f"tf-defocus: {message}", file=sys.stderr)
    return code
