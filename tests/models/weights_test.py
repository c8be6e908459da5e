import numpy as np
import pytest

from tf_defocus.models import create_model, weights


@pytest.fixture
def model():
    return create_model("kpac_2level", base_filters=4, num_blocks=1)


def test_weights_round_trip_and_half_precision_is_half(model, tmp_path):
    weights.save_weights(model, tmp_path / "w.npz")
    weights.save_weights(model, tmp_path / "h.npz", dtype="float16")
    expected = [w.numpy() for w in model.weights]
    for weight in model.weights:
        weight.assign(weight * 0 + 9)
    weights.load_weights(model, tmp_path / "w.npz")
    for weight, value in zip(model.weights, expected):
        np.testing.assert_array_equal(weight, value)
    weights.load_weights(model, tmp_path / "h.npz")
    for weight, value in zip(model.weights, expected):
        np.testing.assert_array_equal(weight, value.astype("float16"))
    halves = weights.read_weights(tmp_path / "h.npz").values()
    assert {array.dtype for array in halves} == {np.dtype("float16")}


def test_names_do_not_hold_the_models_own(model):
    names = weights.variable_names(model)
    assert "conv1_1/kernel" in names and len(set(names)) == len(model.weights)


def test_other_models_weights_are_refused_and_nothing_is_assigned(model, tmp_path):
    other = create_model("kpac_2level", base_filters=6, num_blocks=1)
    weights.save_weights(other, tmp_path / "other.npz")
    before = model.residual.kernel.numpy()
    with pytest.raises(ValueError, match="must have shape"):
        weights.load_weights(model, tmp_path / "other.npz")
    deeper = create_model("kpac_2level", base_filters=4, num_blocks=2)
    weights.save_weights(deeper, tmp_path / "deeper.npz")
    with pytest.raises(ValueError, match=r"Unused.*kpac2/atrous/kernel"):
        weights.load_weights(model, tmp_path / "deeper.npz")
    np.testing.assert_array_equal(model.residual.kernel, before)


def test_a_pickled_array_is_not_opened(model, tmp_path):
    np.savez(tmp_path / "p.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="x holds no numbers, and is not unpickled"):
        weights.read_weights(tmp_path / "p.npz")
