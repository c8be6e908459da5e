"""Files of weights that were made to do harm: each is a few bytes made by code."""

import json
import pickle
import struct
import zipfile

import h5py
import numpy as np

from tests.torch_archive import pickled, tensor, write_archive

LAUGH = b"K\x01\x85q\x00" + b"h\x00h\x00\x86q\x00" * 60  # 2**60 ones in tuples
POPPED_LAUGH = b"K\x01\x85q\x00" + b"0h\x00h\x00\x86q\x00" * 60
PID = ("storage", "<f4", "0", "cpu", 6)


def write_torch(folder):
    """Torch archives and legacy files that must be refused."""
    for name, description in _descriptions().items():
        write_archive(folder / f"torch_{name}.pth", description)
        (folder / f"torch_legacy_{name}.pth").write_bytes(description)
    deflated = zipfile.ZIP_DEFLATED
    write_archive(folder / "torch_bomb.pth", bytes(2**24), (), deflated)
    good = pickled({"w": tensor(PID, 0, (6,), (1,))})
    damaged = write_archive(folder / "torch_bad_deflate.pth", good, (), deflated)
    _change(damaged, b"model/data.pkl", 20, b"\xff" * 9)
    encrypted = write_archive(folder / "torch_encrypted_zip.pth", good)
    _set_encrypted(encrypted)
    _legacy(folder / "torch_legacy_storages.pth")
    with zipfile.ZipFile(folder / "torch_byteorder.pth", "w", deflated) as file:
        file.writestr("model/byteorder", bytes(2**24))
        file.writestr("model/data.pkl", good, zipfile.ZIP_STORED)
    whole = write_archive(folder / "torch_one.pth", good, [("0", bytes(24))])
    (folder / "torch_cut.pth").write_bytes(whole.read_bytes()[:-40])
    whole.unlink()
    (folder / "torch_empty.pth").write_bytes(b"")
    with zipfile.ZipFile(folder / "torch_no_description.pth", "w") as file:
        file.writestr("model/version", b"3")


def _descriptions():
    start = b"\x80\x02"
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    storage = pickled({"w": tensor(PID, 0, (6,), (1,))})[2:]
    pid = b"(X\x07\x00\x00\x00storage"
    return {
        "long_binput": start + b"K\x01r\xff\xff\xff\x3f.",
        "long_binput_largest": start + b"K\x01r\xff\xff\xff\xff.",
        "laugh_key": start + b"}q\x01" + POPPED_LAUGH + b"K\x01s.",
        "laugh_key_in_mark": start + b"}(" + LAUGH + b"tK\x01s.",
        "laugh_pairs": start + b"ccollections\nOrderedDict\n((" + LAUGH + b"t\x85tR.",
        "laugh_pid_in_tuple": start + pid + POPPED_LAUGH + b"tQ.",
        "laugh_pid": start + b"(" + LAUGH + b"tQ.",
        "laugh_shape": start + rebuild + b"((" + LAUGH + b"t" + b")K\x00NtR.",
        "long_string": start + b"X\xff\xff\xff\xff.",
        "long_bytes": start + b"\x8e" + b"\xff" * 7 + b"\x7f.",
        "frame": start + b"\x95" + b"\xff" * 8,
        "steps": start + b"N" * 2**21 + b".",
        "marks": start + b"(" * 2**20 + b".",
        "nested": start + b")" + b"\x85" * 2**21 + b".",
        "duplicates": start + b"N" + b"2" * 2**20 + b".",
        "huge_number": start + b"\x8a\xff" + b"\x7f" * 255 + b"\x85" + b"Q.",
        "list_stride": start + rebuild + b"(NK\x00(K\x02t(]tNtR.",
        "set_attribute": start + rebuild + b"}K\x01K\x01sb.",
        "call_number": start + b"K\x01)R.",
        "cut": start + storage[:40],
        "unknown_name": start + b"cos\nsystem\n(X\x02\x00\x00\x00lstR.",
        "protocol_0": pickle.dumps([1, 2], protocol=0),
        "huge_count": pickled({"w": tensor((*PID[:4], 2**60), 0, (6,), (1,))}),
        "negative_count": pickled({"w": tensor((*PID[:4], -1), 0, (), ())}),
    }


def _legacy(path):
    """A hundred storages, each nearly as long as the file."""
    pid = [("storage", "<f4", str(key), "cpu", 500) for key in range(100)]
    content = pickled({p[2]: tensor(p, 0, (500,), (1,)) for p in pid})
    magic, protocol = (pickle.dumps(n, 2) for n in (0x1950A86A20F9469CFC6C, 1001))
    system = pickle.dumps({"little_endian": True}, 2)
    path.write_bytes(magic + protocol + system + content + pickle.dumps([], 2))


def write_hdf5(folder):
    """HDF5 files that must be refused."""
    outside = folder / "outside.bin"
    outside.write_bytes(bytes(1024))

    def make(name):
        return h5py.File(folder / f"h5_{name}.hdf5", "w", libver="latest")

    with make("external_raw") as file:
        file.create_dataset("a", (3,), "f4", external=[(str(outside), 0, 12)])
    with make("external_link") as file:
        file["a"] = h5py.ExternalLink("h5_target.hdf5", "/a")
    with make("virtual") as file:
        layout = h5py.VirtualLayout((3,), "f4")
        layout[:] = h5py.VirtualSource("h5_target.hdf5", "a", (3,))
        file.create_virtual_dataset("a", layout)
    with make("huge_shape") as file:
        file.create_dataset("a", (10**6, 10**6), "f4")
    with make("huge_chunks") as file:
        file.create_dataset("a", (10**6, 10**6), "f4", chunks=(10, 10))
    with make("filters") as file:
        file.create_dataset("a", data=np.zeros(2**22, "f4"), compression="gzip")
    with make("soft_link") as file:
        file["a"] = h5py.SoftLink("/")
    with make("circle") as file:
        file["a"] = file
    with make("fan") as file:
        group = file
        for _ in range(20):
            inner = group.create_group("a")
            group["b"] = inner
            group = inner
        group["w"] = np.zeros(1)
    with make("twice") as file:
        file["a"] = np.zeros(10**5)
        for index in range(99):
            file[f"b{index}"] = file["a"]
    with make("text") as file:
        file["a"] = "text"
    with make("compound") as file:
        file["a"] = np.zeros(2, [("x", "f4"), ("y", "i4")])
    with make("null") as file:
        file["a"] = h5py.Empty("f4")
    data = (folder / "h5_twice.hdf5").read_bytes()
    (folder / "h5_cut.hdf5").write_bytes(data[: len(data) // 2])
    (folder / "h5_empty.hdf5").write_bytes(b"")
    with h5py.File(folder / "target.hdf5", "w") as file:
        file["a"] = np.zeros(3, "f4")
    (folder / "target.hdf5").rename(folder / "h5_target.hdf5.kept")


def write_npz(folder):
    """`.npz` files that must be refused."""
    array = npy("<f4", (3,), bytes(12))
    _zip(folder / "npz_huge_shape.npz", {"a.npy": npy("<f4", (10**6, 10**6), b"")})
    _zip(folder / "npz_object.npz", {"a.npy": npy("|O", (1,), pickle.dumps([1]))})
    _zip(folder / "npz_text.npz", {"a.npy": npy("<U2", (1,), bytes(8))})
    _zip(folder / "npz_long_text.npz", {"a.npy": npy("|S1000000000", (9,), b"")})
    _zip(folder / "npz_negative.npz", {"a.npy": npy("<f4", (-1, -3), bytes(12))})
    _zip(folder / "npz_nested.npz", {"a.npy": npy("(" * 3000, (1,), b"")})
    _zip(folder / "npz_format_9.npz", {"a.npy": b"\x93NUMPY\x09\x00" + bytes(99)})
    _zip(folder / "npz_no_array.npz", {"a.npy": b"text"})
    lzma, stored = zipfile.ZIP_LZMA, zipfile.ZIP_STORED
    _zip(folder / "npz_lzma.npz", {"a.npy": array}, lzma)
    encrypted = _zip(folder / "npz_encrypted.npz", {"a.npy": array}, stored)
    _set_encrypted(encrypted)
    damaged = _zip(folder / "npz_bad_deflate.npz", {"a.npy": array})
    _change(damaged, b"a.npy", 40, b"\xff" * 9)
    damaged = _zip(folder / "npz_bad_numbers.npz", {"a.npy": array}, stored)
    _change(damaged, b"\n", 5, b"\xff")
    bomb = npy("<f4", (2**28 + 1,), b"")
    _zip(folder / "npz_bomb.npz", {"a.npy": bomb}, zeros=2**30 + 4)
    (folder / "npz_npy.npz").write_bytes(array)
    (folder / "npz_empty.npz").write_bytes(b"")
    (folder / "npz_cut.npz").write_bytes(damaged.read_bytes()[:-30])


def write_runs(folder):
    """Folders of runs and presets that must be refused."""
    fine = {"base_filters": 4, "num_blocks": 1}
    many = {f"a{i}.npy": npy("<f4", (), bytes(4)) for i in range(300)}
    for name, content in _run_configs(fine).items():
        run = folder / f"run_{name}"
        run.mkdir()
        text = content if isinstance(content, str) else json.dumps(content)
        (run / "config.json").write_text(text)
        _zip(run / "weights.npz", many)
    for name, text in _manifests().items():
        run = folder / f"run_{name}"
        run.mkdir()
        (run / "manifest.json").write_text(text)
    for name in ("npy_not_npz", "weights_folder", "no_weights"):
        run = folder / f"run_{name}"
        run.mkdir()
        config = {"model": "kpac_2level", "overrides": fine}
        (run / "config.json").write_text(json.dumps(config))
    (folder / "run_npy_not_npz" / "weights.npz").write_bytes(
        npy("<f8", (3,), bytes(24))
    )
    (folder / "run_weights_folder" / "weights.npz").mkdir()


def _run_configs(fine):
    def kpac(**overrides):
        return {"model": "kpac_2level", "overrides": overrides}

    return {
        "cfg_huge_blocks": kpac(num_blocks=10**7),
        "cfg_many_blocks": kpac(num_blocks=65),
        "cfg_huge_width": kpac(base_filters=10**6),
        "cfg_wide": kpac(base_filters=512, num_blocks=30),
        "cfg_negative": kpac(base_filters=-4),
        "cfg_bits": '{"model": "gkmnet", "overrides": {"num_scales": 1'
        + "0" * 4000
        + "}}",
        "cfg_kernel": {"model": "gkmnet", "overrides": {"max_kernel_size": 501}},
        "cfg_infinite": kpac(num_blocks=float("inf")),
        "cfg_not_a_number": kpac(num_blocks=float("nan")),
        "cfg_name_slash": kpac(name="../../x"),
        "cfg_dtype": kpac(dtype={"class_name": "DTypePolicy"}),
        "cfg_text": kpac(base_filters="x"),
        "cfg_list": kpac(levels=[2]),
        "cfg_rates": kpac(dilation_rates=[1] * 10**5),
        "cfg_deep_rates": kpac(dilation_rates=[[[[1]]]]),
        "cfg_object": kpac(num_blocks={"a": 1}),
        "cfg_null_width": kpac(base_filters=None),
        "cfg_zero": kpac(base_filters=0),
        "cfg_overrides_null": {"model": "kpac_2level", "overrides": None},
        "cfg_overrides_list": {"model": "kpac_2level", "overrides": [1]},
        "cfg_overrides_text": {"model": "kpac_2level", "overrides": "name"},
        "cfg_model_null": {"model": None, "overrides": fine},
        "cfg_model_list": {"model": ["kpac_2level"], "overrides": fine},
        "cfg_model_absent": {"overrides": fine},
        "cfg_model_slash": {"model": "../kpac_2level", "overrides": fine},
        "cfg_null": "null",
        "cfg_brackets": "[" * 10**5,
        "cfg_spaces": " " * 2**23,
        "cfg_bytes": "\x00\x01",
        "cfg_other_weights": kpac(**fine),
    }


def _manifests():
    entry = {"model": "kpac_2level", "file": "w.npz", "sha256": "0"}
    return {
        "man_entry_null": '{"presets": {"p": null}}',
        "man_entry_list": '{"presets": {"p": [1]}}',
        "man_null": "null",
        "man_presets_null": '{"presets": null}',
        "man_presets_list": '{"presets": [{}]}',
        "man_file_null": json.dumps({"presets": {"p": {**entry, "file": None}}}),
        "man_file_list": json.dumps({"presets": {"p": {**entry, "file": ["w"]}}}),
        "man_file_slash": json.dumps({"presets": {"p": {**entry, "file": "../w"}}}),
        "man_file_dots": json.dumps({"presets": {"p": {**entry, "file": ".."}}}),
        "man_file_nul": json.dumps({"presets": {"p": {**entry, "file": "\0"}}}),
        "man_sha256_null": json.dumps({"presets": {"p": {**entry, "sha256": None}}}),
    }


def npy(descr, shape, data):
    """A `.npy` file with any header."""
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data
    )


def _zip(path, members, compression=zipfile.ZIP_DEFLATED, zeros=0):
    with zipfile.ZipFile(path, "w", compression, compresslevel=1) as file:
        for name, data in members.items():
            with file.open(name, "w", force_zip64=True) as member:
                member.write(data)
                for _ in range(zeros // 2**20):
                    member.write(bytes(2**20))
                member.write(bytes(zeros % 2**20))
    return path


def _set_encrypted(path):
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    path.write_bytes(data)


def _change(path, after, distance, replacement):
    data = bytearray(path.read_bytes())
    start = data.index(after) + len(after) + distance
    data[start : start + len(replacement)] = replacement
    path.write_bytes(data)


def write_all(folder):
    """Writes every file and folder."""
    for write in (write_torch, write_hdf5, write_npz, write_runs):
        write(folder)


def paths(folder):
    """The files and folders that are to be read."""
    prefixes = ("torch_", "h5_", "npz_", "run_")
    found = [p for p in folder.iterdir() if p.name.startswith(prefixes)]
    return sorted(p for p in found if p.suffix != ".kept")
