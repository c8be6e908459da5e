"""Writes torch_zip.pth and torch_legacy.pth beside this file; needs torch.

    python tests/goldens/record_torch_checkpoints.py

Recorded with torch 2.13.0. Every number is a function of its index, which
`tests/conversion/torch_checkpoint_test.py` repeats.
"""

import collections
import pathlib

import torch

base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 8
state = collections.OrderedDict(
    weight=base,
    transposed=base.permute(2, 0, 1),
    tail_of_shared=base[1, 1:],
    parameter=torch.nn.Parameter(torch.tensor([0.5, -2.0])),
    half=torch.tensor([1.5, 65504.0], dtype=torch.float16),
    double=torch.tensor([[1e300]], dtype=torch.float64),
    steps=torch.tensor(1234567890123, dtype=torch.int64),
    codes=torch.tensor([-128, 127], dtype=torch.int8),
    mask=torch.tensor([True, False]),
    empty=torch.zeros(0, 3),
)
state._metadata = collections.OrderedDict(version=1)  # as state_dict() leaves it
content = {"state_dict": state, "epoch": 7, "names": ["a", "b"], "lr": 1e-4}

folder = pathlib.Path(__file__).parent
torch.save(content, folder / "torch_zip.pth")
torch.save(content, folder / "torch_legacy.pth", _use_new_zipfile_serialization=False)
