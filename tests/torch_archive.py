"""Writes checkpoints in torch's archive layout without torch, for tests of readers."""

import io
import pickle
import struct
import zipfile

import numpy as np


class Call:
    """Pickles as a call of a function, which a plain unpickler would make."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


class Storage:
    """Pickles as a reference to a storage by its persistent id.

    Torch writes a class where `pid` holds a dtype, to which the reader maps it.
    """

    def __init__(self, *pid):
        self.pid = pid


class _Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.pid if isinstance(value, Storage) else None


def _rebuild(*_):
    raise AssertionError("only its name is pickled")


def tensor(pid, offset, size, stride):
    """A tensor to be pickled by `pickled`."""
    return Call(_rebuild, Storage(*pid), offset, size, stride)


def pickled(content):
    """The pickle of a content with tensors, under the names that torch writes."""
    file = io.BytesIO()
    _Pickler(file, protocol=2).dump(content)
    ours = f"c{__name__}\n_rebuild\n".encode()
    assert ours in file.getvalue()
    return file.getvalue().replace(ours, b"ctorch._utils\n_rebuild_tensor_v2\n")


def write_archive(path, description, storages=(), compression=zipfile.ZIP_STORED):
    """Writes a pickle and the (key, bytes) of its storages; returns the path."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("model/data.pkl", description)
        for key, data in storages:
            file.writestr(f"model/data/{key}", data)
    return path


def write_tensors(path, arrays, wrap=lambda state: state):
    """Writes a dict of float32 arrays as a state dict; returns the path.

    `wrap` makes what is saved of the state dict.
    """
    content, storages = _content(arrays)
    return write_archive(path, pickled(wrap(content)), storages)


def write_legacy(path, arrays, wrap=lambda state: state):
    """The same in the layout before the archive: pickles, then storages."""
    content, storages = _content(arrays)
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, system)]
    keys = pickle.dumps([key for key, _ in storages], 2)
    counted = [struct.pack("<q", len(data) // 4) + data for _, data in storages]
    path.write_bytes(b"".join([*head, pickled(wrap(content)), keys, *counted]))
    return path


def _content(arrays):
    content, storages = {}, []
    for key, (name, array) in enumerate(arrays.items()):
        array = np.ascontiguousarray(array, "<f4").reshape(np.shape(array))
        pid = ("storage", "<f4", str(key), "cpu", array.size)
        stride = tuple(step // 4 for step in array.strides)
        content[name] = tensor(pid, 0, array.shape, stride)
        storages.append((str(key), array.tobytes()))
    return content, storages
