"""The composite and the native kernel against naive loops and against each other.

Both are tested in one run. With `TF_DEFOCUS_NATIVE=0` the kernel's tests are left out,
and nothing anywhere in the suite builds or loads it.
"""

import keras
import numpy as np
import pytest
from keras import ops

from tests import testing
from tf_defocus.ops import adaptive_convolution
from tf_defocus.ops.adaptive_convolution import (
    dense_adaptive_convolution,
    native_kernel,
    portable,
    separable_adaptive_convolution,
)

tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the kernel is TensorFlow's"
)


@pytest.fixture(params=[False, pytest.param(True, marks=testing.needs_kernel)])
def native(request):
    """Runs a test on the composite and on the native kernel."""
    with native_kernel(request.param):
        yield request.param


def random_step(rng, shape, size, dtype="float32"):
    features = rng.normal(size=shape).astype("float32")
    filters = rng.normal(size=(*shape[:3], (2 * size + 1) * shape[3]))
    return features.astype(dtype), (filters / size).astype(dtype)


def naive_step(features, filters, size, slope, reuse):
    batch, height, width, channels = features.shape
    taps, radius = size * channels, size // 2
    kernels = filters[..., : 2 * taps].reshape(batch, height, width, 2, size, channels)
    vertical, out = np.zeros(features.shape), np.zeros(features.shape)
    for b, y, x, t in np.ndindex(batch, height, width, size):
        row = np.clip(y + t - radius, 0, height - 1)
        vertical[b, y, x] += features[b, row, x] * kernels[b, y, x, 0, t]
    for b, y, x, t in np.ndindex(batch, height, width, size):
        column = np.clip(x + t - radius, 0, width - 1)
        kernel = kernels[b, y, x, 0 if reuse else 1, t]
        out[b, y, x] += vertical[b, y, column] * kernel
    out = out + filters[..., 2 * taps :]
    return np.where(out > 0, out, slope * out)


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize(
    "shape, size",
    [
        ((1, 4, 5, 3), 1),
        ((2, 5, 7, 4), 3),
        ((1, 6, 3, 17), 5),
        ((1, 1, 9, 5), 7),
        ((1, 2, 2, 3), 9),
    ],
)
def test_step_equals_the_naive_loop(rng, native, shape, size, reuse):
    features, filters = random_step(rng, shape, size)
    actual = separable_adaptive_convolution(
        features, filters, size, negative_slope=0.1, reuse_vertical=reuse
    )
    expected = naive_step(features, filters, size, 0.1, reuse)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_centre_taps_of_one_return_the_features(rng, native):
    features, filters = random_step(rng, (1, 4, 6, 2), 3)
    filters = np.zeros_like(filters).reshape(1, 4, 6, 7, 2)
    filters[..., [1, 4], :] = 1  # vertical and horizontal centre
    actual = separable_adaptive_convolution(
        features, filters.reshape(1, 4, 6, 14), 3, negative_slope=1.0
    )
    np.testing.assert_array_equal(actual, features)


def test_slope_one_leaves_the_activation_out(rng, native):
    features, filters = random_step(rng, (1, 4, 6, 2), 3)
    actual = separable_adaptive_convolution(features, filters, 3, negative_slope=1.0)
    expected = naive_step(features, filters, 3, 1.0, False)
    assert expected.min() < 0
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_nan_stays_within_its_stencil(rng, native):
    features, filters = random_step(rng, (1, 7, 7, 2), 3)
    features[0, 3, 3, 0] = np.nan
    actual = np.asarray(separable_adaptive_convolution(features, filters, 3))
    expected = np.zeros((1, 7, 7, 2), bool)
    expected[0, 2:5, 2:5, 0] = True
    np.testing.assert_array_equal(np.isnan(actual), expected)


def test_recorded_filters_give_the_recorded_features(native):
    vectors = testing.reference_file("ifan_n2.npz")
    for key, reuse in (("released", True), ("fixed", False)):
        features = vectors["released/eval/f_C"]
        for filters in per_iteration(vectors["released/eval/F"], 2, 32, 3):
            features = separable_adaptive_convolution(
                features, filters, 3, reuse_vertical=reuse
            )
        testing.assert_agrees(features, vectors, f"{key}/eval/iac_out")


def per_iteration(filters, iterations, channels, size):
    """The official filter map (channel-major, biases last) as our steps take it."""
    place = filters.shape[:-1]
    count = iterations * 2 * channels * size
    kernels = filters[..., :count].reshape(*place, iterations, 2, channels, size)
    kernels = np.moveaxis(kernels, -1, -2).reshape(*place, iterations, -1)
    biases = filters[..., count:].reshape(*place, iterations, channels)
    return np.moveaxis(np.concatenate([kernels, biases], -1), -2, 0)


def gradients_of(native, arguments, size, reuse, weights):
    import tensorflow as tf

    tensors = [tf.constant(a) for a in arguments]
    with native_kernel(native), tf.GradientTape() as tape:
        tape.watch(tensors)
        out = separable_adaptive_convolution(*tensors, size, reuse_vertical=reuse)
        loss = tf.reduce_sum(out * weights)
    return [out, *tape.gradient(loss, tensors)]


@testing.needs_kernel
@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize(
    "shape, size", [((2, 5, 7, 4), 3), ((1, 6, 3, 17), 5), ((1, 1, 9, 5), 7)]
)
def test_native_gradients_equal_the_composites(rng, shape, size, reuse):
    arguments = random_step(rng, shape, size)
    weights = rng.normal(size=shape).astype("float32")
    native, composite = (
        gradients_of(choice, arguments, size, reuse, weights)
        for choice in (True, False)
    )
    for atol, one, other in zip((1e-6, 1e-5, 1e-5), native, composite):
        scale = max(1.0, float(np.max(np.abs(other))))
        np.testing.assert_allclose(one, other, atol=atol * scale, rtol=0)


@testing.needs_kernel
def test_native_bfloat16_rounds_once(rng):
    features, filters = random_step(rng, (1, 6, 5, 8), 3)
    features, filters = (ops.cast(a, "bfloat16") for a in (features, filters))
    with native_kernel(True):
        actual = separable_adaptive_convolution(features, filters, 3)
    with native_kernel(False):
        exact = separable_adaptive_convolution(
            ops.cast(features, "float32"), ops.cast(filters, "float32"), 3
        )
    assert keras.backend.standardize_dtype(actual.dtype) == "bfloat16"
    np.testing.assert_allclose(ops.cast(actual, "float32"), exact, rtol=2**-8)


@testing.needs_kernel
@pytest.mark.parametrize("reuse", [False, True])
def test_native_bfloat16_gradients_round_the_exact_ones(rng, reuse):
    arguments = [ops.cast(a, "bfloat16") for a in random_step(rng, (1, 6, 5, 8), 3)]
    weights = ops.cast(rng.normal(size=(1, 6, 5, 8)), "bfloat16")
    exact = gradients_of(
        False,
        [ops.cast(a, "float32") for a in arguments],
        3,
        reuse,
        ops.cast(weights, "float32"),
    )
    for one, other in zip(gradients_of(True, arguments, 3, reuse, weights), exact):
        assert keras.backend.standardize_dtype(one.dtype) == "bfloat16"
        # Reused filters are rounded after the first of two additions too.
        np.testing.assert_allclose(
            ops.cast(one, "float32"), other, rtol=2**-7, atol=2**-8
        )


@testing.needs_kernel
@pytest.mark.parametrize("place", [0, 1, 2])
def test_nan_reaches_the_same_gradients_as_in_the_composite(rng, place):
    shape = (1, 9, 9, 2)
    arrays = [*random_step(rng, shape, 3), rng.normal(size=shape).astype("float32")]
    arrays[place][0, 4, 4, 0] = np.nan
    native, composite = (
        gradients_of(choice, arrays[:2], 3, False, arrays[2])
        for choice in (True, False)
    )
    for one, other in zip(native, composite):
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        assert np.isnan(one)[:, 2:7, 2:7].sum() == np.isnan(one).sum() < 5 * 5 * 14


@testing.needs_kernel
def test_native_kernel_runs_when_asked_and_not_within_portable():
    import tensorflow as tf

    @tf.function
    def step(features, filters):
        return separable_adaptive_convolution(features, filters, 3)

    spec = tf.TensorSpec((1, None, None, 2)), tf.TensorSpec((1, None, None, 14))
    with native_kernel(True):
        with_kernel = step.get_concrete_function(*spec)
        with portable():
            without = tf.function(step.python_function).get_concrete_function(*spec)
    name = "TfDefocusAdaptiveStep"
    assert name in {o.type for o in with_kernel.graph.get_operations()}
    assert name not in {o.type for o in without.graph.get_operations()}
    assert with_kernel.output_shapes.as_list() == [1, None, None, 2]


@testing.needs_kernel
@pytest.mark.parametrize("name", ["features", "filters"])
def test_kernel_refuses_what_reaches_it_unchecked(name):
    import tensorflow as tf

    from tf_defocus.ops import adaptive_convolution_native

    step = adaptive_convolution_native.load().tf_defocus_adaptive_step
    arguments = {"features": tf.zeros((1, 2, 2, 3)), "filters": tf.zeros((1, 2, 2, 21))}
    attributes = {"filter_size": 3, "negative_slope": 0.1, "reuse_vertical": False}
    assert step(**arguments, **attributes).shape == (1, 2, 2, 3)
    for bad in (tf.zeros((1, 2, 2, 4)), tf.zeros((2, 2)), tf.zeros((0, 2, 2, 21))):
        with pytest.raises(tf.errors.InvalidArgumentError):
            step(**{**arguments, name: bad}, **attributes)
    with pytest.raises(tf.errors.InvalidArgumentError, match="odd"):
        step(**arguments, **{**attributes, "filter_size": 2})


@testing.needs_kernel
@pytest.mark.parametrize("name", ["features", "filters", "outputs", "gradients"])
def test_gradient_kernel_refuses_what_reaches_it_unchecked(name):
    import tensorflow as tf

    from tf_defocus.ops import adaptive_convolution_native

    gradient = adaptive_convolution_native.load().tf_defocus_adaptive_step_grad
    arguments = dict.fromkeys(
        ("features", "outputs", "gradients"), tf.zeros((1, 2, 2, 3))
    )
    arguments["filters"] = tf.zeros((1, 2, 2, 21))
    attributes = {"filter_size": 3, "negative_slope": 0.1, "reuse_vertical": False}
    assert gradient(**arguments, **attributes)[1].shape == (1, 2, 2, 21)
    for bad in (
        tf.zeros((1, 2, 2, 4)),
        tf.zeros((2, 2)),
        tf.zeros((0, 2, 2, 3)),
        tf.zeros((1, 2, 2, 3), tf.bfloat16),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError):
            gradient(**{**arguments, name: bad}, **attributes)


def naive_dense(features, filters, size):
    batch, height, width, channels = features.shape
    kernels = filters.reshape(batch, height, width, size, size, channels)
    out = np.zeros(features.shape)
    for b, y, x, i, j in np.ndindex(batch, height, width, size, size):
        row = np.clip(y + i - size // 2, 0, height - 1)
        column = np.clip(x + j - size // 2, 0, width - 1)
        out[b, y, x] += features[b, row, column] * kernels[b, y, x, i, j]
    return out


@pytest.mark.parametrize("shape, size", [((2, 5, 4, 3), 3), ((1, 3, 6, 2), 5)])
def test_dense_equals_the_naive_loop(rng, shape, size):
    features = rng.normal(size=shape).astype("float32")
    filters = rng.normal(size=(*shape[:3], size**2 * shape[3])).astype("float32")
    np.testing.assert_allclose(
        dense_adaptive_convolution(features, filters, size),
        naive_dense(features, filters, size),
        atol=1e-5,
    )


def test_one_dense_filter_for_all_channels_is_the_same_filter_for_each(rng):
    features = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    filters = rng.normal(size=(2, 4, 5, 25)).astype("float32")
    np.testing.assert_allclose(
        dense_adaptive_convolution(features, filters, 5),
        naive_dense(features, np.repeat(filters, 3, axis=-1), 5),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    "shapes, size, message",
    [
        (((1, 2, 2, 3), (1, 2, 2, 15)), 2, "filter_size must be odd"),
        (((1, 2, 2, 3), (1, 2, 2, 20)), 3, "filters must have shape"),
        (((1, 2, 2, 3), (1, 2, 3, 21)), 3, "filters must have shape"),
        (((2, 2, 3), (2, 2, 21)), 3, "must be .batch, height, width, channels."),
        (((1, 0, 2, 3), (1, 0, 2, 21)), 3, "must not be empty"),
    ],
)
def test_wrong_shapes_are_refused(native, shapes, size, message):
    features, filters = (np.zeros(s, "float32") for s in shapes)
    with pytest.raises(ValueError, match=message):
        separable_adaptive_convolution(features, filters, size)


def test_wrong_dtypes_and_slopes_are_refused():
    features, filters = np.zeros((1, 2, 2, 3), "float32"), np.zeros((1, 2, 2, 21))
    with pytest.raises(ValueError, match="one float dtype"):
        separable_adaptive_convolution(features, filters.astype("float64"), 3)
    with pytest.raises(ValueError, match="one float dtype"):
        separable_adaptive_convolution(
            features.astype("int32"), filters.astype("int32"), 3
        )
    with pytest.raises(ValueError, match="negative_slope must be >= 0"):
        separable_adaptive_convolution(features, filters.astype("float32"), 3, -1)


def test_unknown_environment_choice_is_refused(monkeypatch):
    monkeypatch.setenv("TF_DEFOCUS_NATIVE", "yes")
    features, filters = np.zeros((1, 2, 2, 3), "f4"), np.zeros((1, 2, 2, 21), "f4")
    with pytest.raises(ValueError, match="must be 0, 1 or auto"):
        separable_adaptive_convolution(features, filters, 3)


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A process that has not looked for the kernel yet, and an empty cache."""
    from tf_defocus.ops import adaptive_convolution_native

    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(tmp_path))
    monkeypatch.setenv("TF_DEFOCUS_NATIVE", "auto")
    monkeypatch.setattr(adaptive_convolution_native, "_library", None)
    monkeypatch.setattr(adaptive_convolution_native, "_error", None)
    monkeypatch.setattr(adaptive_convolution, "_warned", False)
    return adaptive_convolution_native


def assert_falls_back(rng, message):
    """Asserts one warning, the composite's numbers, and an error where forced."""
    features, filters = random_step(rng, (1, 3, 3, 2), 3)
    with pytest.warns(UserWarning, match=message) as record:
        for _ in range(2):
            actual = separable_adaptive_convolution(features, filters, 3)
    assert len(record) == 1
    expected = naive_step(features, filters, 3, 0.1, False)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    with native_kernel(True), pytest.raises(RuntimeError, match=message):
        separable_adaptive_convolution(features, filters, 3)


@tensorflow_only
@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_missing_and_broken_compilers_warn_once_and_fall_back(
    rng, fresh, monkeypatch, compiler
):
    monkeypatch.setenv("CXX", compiler)
    assert_falls_back(rng, compiler)


@tensorflow_only
def test_a_broken_library_warns_once_and_falls_back(rng, fresh):
    fresh.build.library_path(fresh.toolchain()).write_bytes(b"no library")
    assert_falls_back(rng, "without its native kernel|adaptive_convolution-")
