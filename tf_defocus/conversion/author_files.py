"""How the authors of each network save its weights, one row each.

Four kinds of files: what `torch.save` writes, TensorLayer's `.npz`, Keras 2's HDF5,
TensorFlow's index and data.
What a file needs beyond its names (blue, green, red images; positions for names) is
undone here, so that every preset takes red, green, blue in [0, 1].
"""

import dataclasses
import functools
import os
import pathlib
import re
import zipfile
from collections.abc import Callable

from tf_defocus.array_files import hdf5
from tf_defocus.conversion import (
    assignments_of,
    bambnet,
    dmenet,
    dpdnet,
    iniknet,
    kpac,
    mdp,
    naming,
    nrknet,
    rdpd,
    srn,
    wanted_by,
)
from tf_defocus.conversion import tensorflow_checkpoint as tensorflow_files
from tf_defocus.conversion.assignment import match
from tf_defocus.conversion.tensorlayer_npz import read_tensorlayer
from tf_defocus.conversion.torch_checkpoint import read_torch_checkpoint
from tf_defocus.models.bambnet import BaMBNet
from tf_defocus.models.dddnet import DDDNet
from tf_defocus.models.deeprft import DeepRFT
from tf_defocus.models.dmenet import DMENet
from tf_defocus.models.dpdnet import DPDNet
from tf_defocus.models.drbnet import DRBNet
from tf_defocus.models.gkmnet import GKMNet
from tf_defocus.models.ifan import IFAN
from tf_defocus.models.iniknet import INIKNet
from tf_defocus.models.k3dn import K3DN
from tf_defocus.models.kpac import KPAC
from tf_defocus.models.lakdnet import LaKDNet
from tf_defocus.models.mdp import MDP
from tf_defocus.models.nrknet import NRKNet
from tf_defocus.models.rdpd import RDPD
from tf_defocus.models.restormer import Restormer
from tf_defocus.models.srn import SRN

TORCH, TENSORLAYER, KERAS = "torch", "TensorLayer .npz", "Keras HDF5"
TENSORFLOW = "TensorFlow .index"
NOT_STATED = "see the authors' repository"
_HDF5_MARK = b"\x89HDF\r\n\x1a\n"
_DATA_FILE = re.compile(r"(.+)\.data-\d+-of-\d+")


class Checkpoint:
    """A file of an author's program, opened once.

    Args:
        path: str or path; of TensorFlow's pair of files, either or what their names
            begin with.

    Raises:
        OSError: if it cannot be opened.
    """

    def __init__(self, path):
        self.path = _index_of(path)
        self.kind = _kind(self.path)

    @property
    def files(self):
        """Paths of all the files that hold it."""
        beside = self.kind == TENSORFLOW
        return [self.path, *(tensorflow_files.data_files(self.path) if beside else [])]

    @functools.cached_property
    def content(self):
        """Nested dicts of a torch file, or the arrays of another one, by name.

        The numbers stay in the file until they are used.

        Raises:
            ValueError: in one line, if the file is damaged or hostile.
        """
        return _READERS[self.kind](self.path)

    def list_tensors(self):
        """dict, full name -> (shape, dtype) of everything that the file holds.

        Raises:
            ValueError: in one line, if the file is damaged or hostile.
        """
        if self.kind == KERAS:
            return hdf5.list_datasets(self.path)
        return {n: (a.shape, a.dtype) for n, a in naming.flattened(self.content)}


@dataclasses.dataclass(frozen=True)
class AuthorFile:
    """What the authors of a network save.

    Attributes:
        repository: str, address of their program.
        licence: str, of that program.
        kind: TORCH, TENSORLAYER, KERAS or TENSORFLOW.
        read: function of (`Checkpoint`, model) to a dict official name -> array.
        to_rgb: function of that dict to the same function on red, green, blue.
    """

    repository: str
    licence: str = NOT_STATED
    kind: str = TORCH
    read: Callable = lambda checkpoint, model: _by_name(checkpoint, model)
    to_rgb: Callable = lambda arrays: arrays


def _by_name(checkpoint, model):
    names = [a.name for a in assignments_of(model)]
    return naming.find_tensors(checkpoint.content, names)[3]


def _read_path(read):
    """A reader that takes the path alone."""
    return lambda checkpoint, model: read(checkpoint.path)


_GITHUB = "https://github.com/"
FILES = {
    BaMBNet: AuthorFile(
        f"{_GITHUB}junjun-jiang/BaMBNet", "CC-BY-NC 4.0", to_rgb=bambnet.to_rgb
    ),
    DDDNet: AuthorFile(  # two files, whose names get the beginnings Estd. and Esti.
        f"{_GITHUB}panpanfei/Dual-Pixel-Exploration-Simultaneous-Depth-Estimation-"
        "and-Image-Restoration",
        "for academic use only",
    ),
    DeepRFT: AuthorFile(
        f"{_GITHUB}INVOKERer/DeepRFT", "Academic Public License, non-commercial"
    ),
    DMENet: AuthorFile(
        f"{_GITHUB}codeslake/DMENet",
        "AGPL-3.0",
        kind=TENSORLAYER,
        read=_read_path(dmenet.read_npz),
    ),
    DPDNet: AuthorFile(
        f"{_GITHUB}Abdullah-Abuolaim/defocus-deblurring-dual-pixel",
        kind=KERAS,
        read=_read_path(dpdnet.read_hdf5),
    ),
    DRBNet: AuthorFile(f"{_GITHUB}lingyanruan/DRBNet", "AGPL-3.0"),
    GKMNet: AuthorFile(f"{_GITHUB}csZcWu/GKMNet"),
    IFAN: AuthorFile(f"{_GITHUB}codeslake/IFAN"),
    INIKNet: AuthorFile(f"{_GITHUB}xinyao240/INIKNet", "MIT", to_rgb=iniknet.to_rgb),
    K3DN: AuthorFile(f"{_GITHUB}cjsj166/k3dn"),
    KPAC: AuthorFile(
        f"{_GITHUB}HyeongseokSon1/KPAC",
        kind=TENSORLAYER,
        read=lambda checkpoint, model: kpac.named(checkpoint.content, model),
    ),
    LaKDNet: AuthorFile(f"{_GITHUB}lingyanruan/LaKDNet", "AGPL-3.0"),
    MDP: AuthorFile(
        f"{_GITHUB}Abdullah-Abuolaim/multi-task-defocus-deblurring-dual-pixel-nimat",
        "Apache-2.0",
        kind=KERAS,
        read=_read_path(mdp.read_hdf5),
    ),
    NRKNet: AuthorFile(f"{_GITHUB}csZcWu/NRKNet", "MIT", to_rgb=nrknet.to_rgb),
    RDPD: AuthorFile(
        f"{_GITHUB}Abdullah-Abuolaim/recurrent-defocus-deblurring-synth-dual-pixel",
        "Apache-2.0",
        kind=KERAS,
        read=_read_path(rdpd.read_hdf5),
    ),
    Restormer: AuthorFile(
        f"{_GITHUB}swz30/Restormer", "Academic Public License, non-commercial"
    ),
    SRN: AuthorFile(
        f"{_GITHUB}jiangsutx/SRN-Deblur",
        "MIT",
        kind=TENSORFLOW,
        read=lambda checkpoint, model: srn.named(checkpoint.content),
    ),
}


def official_tensors(checkpoints, model):
    """The authors' tensors of a network, compared with it and turned to our colours.

    Args:
        checkpoints: list of `Checkpoint`; more than one where the authors save the
            parts of a network apart.
        model: a network of `plan_model` or `create_model`.

    Returns:
        dict, official name -> array, as `load_official` takes it.

    Raises:
        ValueError: in one line, saying what is missing, left over or misshapen.
    """
    arrays = read_tensors(checkpoints, model)
    match(assignments_of(model), arrays)
    return FILES[type(model)].to_rgb(arrays)


def read_tensors(checkpoints, model):
    """The tensors by the names of a network's authors, whether they fit it or not.

    Args, Returns:
        As `official_tensors`.

    Raises:
        ValueError: in one line, if they cannot be given such names.
    """
    row, arrays = FILES[type(model)], {}
    for checkpoint in checkpoints:
        if checkpoint.kind != row.kind:
            raise ValueError(
                f"the authors of {type(model).__name__} save {row.kind} files. "
                f"Received: a {checkpoint.kind} file, {checkpoint.path}"
            )
        found = wanted_by(model, _read(row, checkpoint, model))
        twice = sorted(set(arrays) & set(found))
        if twice:
            raise ValueError(f"two files hold {naming.listing(twice)}")
        arrays |= found
    if not arrays:
        raise ValueError(_without_tensors(checkpoints))
    return arrays


def _read(row, checkpoint, model):
    try:
        return row.read(checkpoint, model)
    except (KeyError, IndexError) as error:
        raise ValueError(
            f"{checkpoint.path} has other layers than {type(model).__name__}"
        ) from error


def _without_tensors(checkpoints):
    contents = [c.content for c in checkpoints if c.kind == TORCH]
    if any(isinstance(c, dict) and "param_groups" in c for c in contents):
        return "it holds an optimizer's state alone; give the network's file beside it"
    return "it holds no tensors with names"


_READERS = {
    TORCH: read_torch_checkpoint,
    TENSORLAYER: read_tensorlayer,
    TENSORFLOW: tensorflow_files.read_tensorflow_checkpoint,
}


def _index_of(path):
    """TensorFlow's programs name neither of the two files, but their beginning."""
    data = _DATA_FILE.fullmatch(str(path))
    begin = data[1] if data else str(path)
    index = pathlib.Path(begin + tensorflow_files.SUFFIX)
    return index if index.is_file() and (data or not os.path.exists(path)) else path


def _kind(path):
    with open(path, "rb") as file:
        head = file.read(len(_HDF5_MARK))
        file.seek(-min(os.path.getsize(path), len(tensorflow_files.MARK)), os.SEEK_END)
        if file.read() == tensorflow_files.MARK or str(path).endswith(
            tensorflow_files.SUFFIX
        ):
            return TENSORFLOW
    if head == _HDF5_MARK:
        return KERAS
    try:
        names = zipfile.ZipFile(path).namelist() if head[:2] == b"PK" else []
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        names = []  # the reader says what is wrong
    is_npz = any(name.endswith(".npy") for name in names)
    return TENSORLAYER if is_npz or str(path).endswith(".npz") else TORCH
