"""The domain transform's recursion against its definition, pixel by pixel."""

import numpy as np

from tf_defocus.deconvolution.domain_transform import domain_transform_filter


def naive_filter(values, joint, spatial, tonal, num_iterations):
    result = values.astype(np.float64)
    for iteration in range(1, num_iterations + 1):
        shares = 2.0 ** (num_iterations - iteration) / np.sqrt(4**num_iterations - 1)
        decay = np.exp(-np.sqrt(2) / (spatial * np.sqrt(3) * shares))
        for axis in (1, 0):  # along rows, then along columns
            result, joint = np.swapaxes(result, axis, 1), np.swapaxes(joint, axis, 1)
            for line, guide in zip(result, joint):
                gaps = 1 + spatial / tonal * np.abs(np.diff(guide, axis=0)).sum(-1)
                for i in range(1, len(line)):
                    line[i] += decay ** gaps[i - 1] * (line[i - 1] - line[i])
                for i in reversed(range(len(line) - 1)):
                    line[i] += decay ** gaps[i] * (line[i + 1] - line[i])
            result, joint = np.swapaxes(result, axis, 1), np.swapaxes(joint, axis, 1)
    return result


def test_filter_equals_its_definition_and_leaves_its_input(rng):
    values, joint = rng.random((6, 5, 2)), rng.random((6, 5, 3))
    before = values.copy()
    filtered = domain_transform_filter(values, joint, 7, 0.5, num_iterations=3)
    expected = naive_filter(values, joint, 7, 0.5, 3)
    np.testing.assert_allclose(filtered, expected, atol=1e-12)
    np.testing.assert_array_equal(values, before)


def test_an_edge_of_the_joint_image_stops_it(rng):
    values = rng.random((8, 16, 1)) / 4
    values[:, 8:] += 0.75
    joint = np.zeros((8, 16, 1))
    joint[:, 8:] = 1.0
    filtered = domain_transform_filter(values, joint, 30, 0.01)
    for side in (slice(0, 8), slice(8, 16)):
        before, after = values[:, side], filtered[:, side]
        assert before.min() < after.min() and after.max() < before.max()
        assert after.std() < 0.02 * before.std()
