"""RDPD's layers against naive NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.gkmnet_attention_test import naive_convolution
from tests.testing import assert_layer_round_trips
from tf_defocus.layers.rdpd import FrameLSTM, hard_sigmoid, radial_distance

ATOL = 1e-5  # float32, sums of a few hundred terms


def naive_hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def naive_lstm(clip, kernel, recurrent_kernel, bias):
    """(frames, h, w, c) -> (frames, h, w, filters), frame by frame from zeros."""
    filters = recurrent_kernel.shape[2]
    hidden = cell = np.zeros((*clip.shape[1:3], filters))
    outputs = []
    for frame in clip:
        gates = naive_convolution(frame, kernel, bias)
        gates = gates + naive_convolution(hidden, recurrent_kernel)
        take, keep, candidate, show = np.split(gates, 4, axis=-1)
        cell = naive_hard_sigmoid(keep) * cell
        cell = cell + naive_hard_sigmoid(take) * np.tanh(candidate)
        hidden = naive_hard_sigmoid(show) * np.tanh(cell)
        outputs.append(hidden)
    return np.stack(outputs)


def random_lstm(rng, filters=3, **arguments):
    layer = FrameLSTM(filters, **arguments)
    layer.build((None, None, None, None, 5))
    for weight in layer.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return layer


@pytest.mark.parametrize("num_frames", [1, 4])
def test_lstm_matches_its_definition(rng, num_frames):
    layer = random_lstm(rng)
    clips = rng.normal(size=(2, num_frames, 4, 6, 5)).astype("float32")
    weights = [w.astype("float64") for w in layer.get_weights()]
    for actual, clip in zip(layer(clips), clips):
        np.testing.assert_allclose(actual, naive_lstm(clip, *weights), atol=ATOL)


def test_one_frame_meets_no_recurrent_kernel(rng):
    layer = random_lstm(rng)
    clip = rng.normal(size=(1, 2, 4, 6, 5)).astype("float32")
    before = ops.convert_to_numpy(layer(clip))
    layer.recurrent_kernel.assign(np.zeros(layer.recurrent_kernel.shape))
    after = ops.convert_to_numpy(layer(clip))
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert np.abs(before[:, 1] - after[:, 1]).max() > 0.01


def test_gates_have_the_slope_of_keras_2():
    values = np.float32([-3, -2.5, -1, 0, 1, 2.5, 3])
    expected = [0, 0, 0.3, 0.5, 0.7, 1, 1]
    np.testing.assert_allclose(hard_sigmoid(values), expected, atol=1e-7)
    assert abs(float(keras.ops.hard_sigmoid(1.0)) - 0.7) > 0.03


def test_lstm_remembers_at_first():
    layer = FrameLSTM(4)
    layer.build((None, None, None, None, 2))
    bias = ops.convert_to_numpy(layer.bias).reshape(4, 4)  # gates i, f, c, o
    np.testing.assert_array_equal(bias, [[0] * 4, [1] * 4, [0] * 4, [0] * 4])


def test_dropout_masks_every_gate_apart_and_all_frames_alike(rng):
    """With U and b zero, a frame's gates show which inputs were dropped."""
    layer = random_lstm(rng, filters=1, dropout_rate=0.5)
    kernel = np.zeros(layer.kernel.shape, "float32")
    kernel[1, 1, 0] = 1  # every gate sees the first channel of its own pixel
    layer.kernel.assign(kernel)
    layer.bias.assign(np.zeros(4))
    ones = np.ones((1, 3, 16, 16, 5), "float32")
    gates = ops.convert_to_numpy(layer._from_inputs(ones, True))
    assert set(np.unique(gates)) == {0.0, 2.0}
    np.testing.assert_array_equal(gates[:, 0], gates[:, 2])
    kept = gates[0, 0] > 0
    assert 0.4 < kept.mean() < 0.6
    assert not any((kept[..., 0] == kept[..., gate]).all() for gate in (1, 2, 3))
    still = [ops.convert_to_numpy(layer(ones, training=False)) for _ in range(2)]
    np.testing.assert_array_equal(*still)


def naive_distance(height, width):
    rows, columns = np.mgrid[:height, :width]
    radius = np.hypot(rows - height / 2, columns - width / 2)
    return np.round(255 * radius / np.hypot(height / 2, width / 2))


@pytest.mark.parametrize("size", [(1120, 1680), (1080, 1920), (45, 70), (1, 1)])
def test_radial_distance_is_that_of_the_released_masks(size):
    levels = 255 * ops.convert_to_numpy(radial_distance(*size))
    assert levels.shape == (*size, 1)
    difference = np.abs(levels[..., 0] - naive_distance(*size))
    between = difference > 0.5  # float64 rounds those the other way
    assert between.mean() < 1e-4 and difference[between].max(initial=1) < 1.001
    assert difference[~between].max() < 1e-4


def test_radial_distance_is_one_in_the_first_corner_and_zero_in_the_middle():
    distance = ops.convert_to_numpy(radial_distance(6, 10))[..., 0]
    assert distance[0, 0] == 1 and distance[3, 5] == 0
    assert distance[5, 9] < 1  # the middle lies half a pixel right and down


def test_layer_round_trips(rng):
    clips = rng.normal(size=(1, 3, 4, 6, 5)).astype("float32")
    assert_layer_round_trips(FrameLSTM(3, 5, 0.3), clips)


def test_unknown_frames_are_refused(rng):
    layer = random_lstm(rng)
    with pytest.raises(ValueError, match="number of frames must be known"):
        keras.Model(x := keras.Input((None, 4, 4, 5)), layer(x))
