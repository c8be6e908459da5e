"""What to do with a checkpoint whose names do not fit is said, in at most ten names."""

import numpy as np
import pytest

from tf_defocus import create_model
from tf_defocus.conversion import assignments_of, load_official, naming

NAMES = [f"Network.conv{i}.{part}.weight" for i in range(8) for part in "ab"]


def arrays(names=NAMES):
    return {name: np.zeros(index + 1) for index, name in enumerate(names)}


@pytest.mark.parametrize(
    "beginning, wanted, expected",
    [
        ("", "", ("", "")),
        ("module.", "", ("module.", "")),
        ("module.module.", "", ("module.module.", "")),
        ("", "Estd.", ("", "Estd.")),
        ("module.", "Estd.", ("module.", "Estd.")),
        ("generator/", "main/net/", ("generator/", "main/net/")),
    ],
)
def test_beginnings_are_found(beginning, wanted, expected):
    names = [beginning + name for name in NAMES] + ["module.stranger.b.weight"]
    targets = [wanted + name for name in NAMES]
    assert naming.find_renaming(names, targets) == expected


def test_the_tensors_that_the_authors_test_are_found_beside_the_optimizer():
    nested = {
        "epoch": 7,
        "optimizer": {"state": {0: {"exp_avg": np.zeros(3)}}, "param_groups": [{}]},
        "params": {f"module.{n}": a for n, a in arrays().items()},
        "params_ema": {f"module.{n}": a + 1 for n, a in arrays().items()},
    }
    path, strip, add, found = naming.find_tensors({"checkpoint": nested}, NAMES)
    assert (path, strip, add) == (("checkpoint", "params_ema"), "module.", "")
    assert list(found) == NAMES
    np.testing.assert_array_equal(found[NAMES[2]], [1, 1, 1])


def test_nothing_is_found_where_no_tensor_is():
    assert naming.find_tensors({"state": {0: [1]}}, NAMES) == ((), "", "", {})
    assert naming.find_tensors([1, 2], NAMES)[3] == {}


@pytest.mark.parametrize(
    "wrap, cure",
    [
        (lambda a: {"state_dict": a, "epoch": 3}, r"unwrap \['state_dict'\]"),
        (lambda a: {f"module.{n}": v for n, v in a.items()}, "strip 'module.'"),
        (
            lambda a: {"model": {"params": {f"module.{n}": v for n, v in a.items()}}},
            r"unwrap \['model'\]\['params'\] and strip 'module.'",
        ),
        (
            lambda a: {f"{n}.other": v for n, v in a.items()},
            "check its name and arguments",
        ),
    ],
)
def test_load_official_says_the_cure_and_at_most_ten_names(wrap, cure):
    model = create_model("kpac_2level", base_filters=4, variant="released")
    tensors = {a.name: np.zeros(a.variable.shape) for a in assignments_of(model)}
    extra = {f"stranger{i:02d}": np.zeros(1) for i in range(40)}
    with pytest.raises(ValueError, match=f"; {cure}[.] Missing: ") as caught:
        load_official(model, {**wrap(tensors), **extra, 3: "an integer key"})
    message = str(caught.value)
    assert message.count("|") <= 20 and message.count("stranger") <= 10
    assert "and 48 more" in message  # of 58
