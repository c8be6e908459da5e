"""TensorFlow's own lines are kept off the screen, errors are not."""

import logging
import os

import pytest

from tf_defocus.commands import quiet_tensorflow


@pytest.mark.parametrize(
    "path, level, shown",
    [
        ("/x/tensorflow/python/saved_model/save.py", logging.WARNING, False),
        ("/x/tensorflow/python/saved_model/save.py", logging.ERROR, True),
        ("/x/tf_defocus/data/kept_examples.py", logging.INFO, True),
    ],
)
def test_only_what_tensorflow_says_below_an_error_is_hidden(path, level, shown):
    record = logging.LogRecord("absl", level, path, 1, "text", (), None)
    assert quiet_tensorflow._is_no_note(record) == shown


def test_notes_are_dropped_while_loading_and_errors_are_kept(capfd):
    lines = (
        "WARNING: All log messages before absl::InitializeLog() is called are ...",
        "I0000 00:00:1795600458.179031   27122 port.cc:153] oneDNN custom operations",
        "E0000 00:00:1795600458.179031   27122 some.cc:1] failed",
        "some warning of Python's",
    )

    def load(module):
        os.write(2, "\n".join(lines).encode())
        raise ImportError(module)

    with pytest.raises(ImportError, match="tensorflow"):
        quiet_tensorflow._load_in_silence(load, "tensorflow")
    assert capfd.readouterr().err == "\n".join(lines[2:])
    os.write(2, b"still there")
    assert capfd.readouterr().err == "still there"
