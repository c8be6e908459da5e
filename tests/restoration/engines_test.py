"""Engines restore as Keras does, keep what they converted, and say what they cannot."""

import importlib.util
import json
import shutil

import keras
import numpy as np
import pytest

from tf_defocus import cli
from tf_defocus.models import create_model
from tf_defocus.models.precision import copy_in
from tf_defocus.restoration import engines
from tf_defocus.restoration.engines import choice, engine, graph_cache
from tf_defocus.restoration.restorer import Restorer

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="converts TensorFlow's graphs"
)
# Keras in an engine's place would agree with itself.
no_fallback = pytest.mark.filterwarnings(
    "error::tf_defocus.restoration.engines.EngineWarning"
)
# The shipped networks that the tests' own is not like, made small.
OTHERS = {
    "gkmnet": {"num_gaussians": 2, "max_kernel_size": 5, "num_scales": 1},
    "k3dn_tiny": {
        "base_filters": 4,
        "encoder_residual_units": 1,
        "num_psf_blocks": 1,
        "window_size": (4, 4),
        "variant": "released",
        "spectrum": "blur",
    },
}


@pytest.fixture(scope="module", autouse=True)
def native_operations():
    """Loaded from the cache of all tests, which holds them, before it is another."""
    from tf_defocus.ops import adaptive_convolution_native

    adaptive_convolution_native.load()


@pytest.fixture(params=engine.CONVERTED)
def name(request):
    missing = engine.missing_packages(request.param)
    if missing:
        pytest.skip(f"needs {missing}")
    return request.param


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """An empty one."""
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(tmp_path))
    return tmp_path / "engines"


@pytest.fixture(scope="module")
def filled_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def filled_cache(cache, monkeypatch, filled_folder):
    """One that these tests share: converting takes seconds."""
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(filled_folder))
    return filled_folder / "engines"


@pytest.fixture(scope="module")
def network():
    """Small, works in stages, and alters what it is given."""
    model = create_model(
        "kpac_2level", base_filters=4, num_blocks=1, dilation_rates=(1, 2)
    )
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(1.5 * weight)
    return model


@pytest.fixture
def photograph(rng):
    return rng.integers(0, 256, (67, 150, 3), dtype=np.uint8)


def largest_difference(one, other):
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize(
    "options", [{}, {"tile": 80}, {"scales": (1, 2)}], ids=["whole", "tiles", "scales"]
)
def test_results_agree_within_one_level(
    network, photograph, name, options, filled_cache
):
    expected = Restorer(network, **options).restore(blurred=photograph)
    actual = Restorer(network, engine=name, **options).restore(blurred=photograph)
    assert largest_difference(actual, expected) <= 1
    assert largest_difference(expected, photograph) > 3


@no_fallback
@pytest.mark.parametrize("kind", OTHERS)
def test_other_networks_agree_at_two_sizes(kind, photograph, filled_cache):
    names = [n for n in engine.CONVERTED if not engine.missing_packages(n)]
    model = create_model(kind, **OTHERS[kind])
    views = {n: photograph[:, i : i + 50] for i, n in enumerate(model.view_names)}
    expected = Restorer(model, scales=(1, 2)).restore(**views)
    assert largest_difference(expected, views[model.view_names[0]]) > 3
    for name in names:
        actual = Restorer(model, scales=(1, 2), engine=name).restore(**views)
        assert largest_difference(actual, expected) <= 1, name


@no_fallback
def test_openvino_computes_in_bfloat16(network, photograph, filled_cache):
    if engine.missing_packages("openvino"):
        pytest.skip("needs openvino")
    half = copy_in(network, "bfloat16")
    expected = Restorer(half).restore(blurred=photograph)
    actual = Restorer(half, engine="openvino").restore(blurred=photograph)
    assert largest_difference(actual, expected) <= 255 * engine.LARGEST_BFLOAT16_ERROR
    with pytest.raises(engines.EngineError, match="does not compute in bfloat16"):
        Restorer(half, engine="onnxruntime")


def test_two_photographs_in_one_call_agree(network, photograph, name, filled_cache):
    batch = [{"blurred": photograph}, {"blurred": photograph[::-1]}]
    expected = Restorer(network).restore_batch(batch)
    actual = Restorer(network, engine=name).restore_batch(batch)
    for one, other in zip(actual, expected):
        assert largest_difference(one, other) <= 1


def test_measured_are_those_that_agree(network, name, filled_cache):
    seconds = choice.measure(network, False, [name])
    assert set(seconds) == {"tensorflow", name}
    assert all(0 < value < 60 for value in seconds.values())


def test_converted_once_and_again_when_damaged(network, photograph, name, filled_cache):
    def restore():
        return Restorer(network, engine=name).restore(blurred=photograph)

    first = restore()
    before = {path: path.stat().st_ino for path in filled_cache.rglob("graph.*")}
    np.testing.assert_array_equal(restore(), first)
    assert before == {p: p.stat().st_ino for p in filled_cache.rglob("graph.*")}
    for path in before:  # of all engines: those of this one are made again
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    np.testing.assert_array_equal(restore(), first)
    whole = [path for path in filled_cache.iterdir() if graph_cache.is_whole(path)]
    assert len(whole) == 1
    for path in filled_cache.iterdir():
        shutil.rmtree(path)


def test_a_graph_is_of_its_weights_alone(network, photograph, cache):
    before = graph_cache.digest_of_weights(network)
    weight = network.trainable_weights[0]
    values = weight.numpy()
    weight.assign(values + 1)
    after = graph_cache.digest_of_weights(network)
    weight.assign(values)
    assert after != before == graph_cache.digest_of_weights(network)


def test_what_cannot_be_converted_stays_with_keras(network, photograph, monkeypatch):
    class Runtime:
        PRECISIONS, PACKAGES, EXTRA = ("float32",), ("keras",), "none"
        PORTABLE = True

        def convert(graph, inputs, folder):
            raise RuntimeError("no such operation\nand more")

    monkeypatch.setattr(engine, "_runtime", lambda name: Runtime)
    restorer = Restorer(network, engine="onnxruntime")
    reason = "no such operation and more"
    with pytest.warns(engines.EngineWarning, match=reason) as warned:
        actual = restorer.restore(blurred=photograph)
    (told,) = [w.message for w in warned if w.category is engines.EngineWarning]
    assert "\n" not in str(told)
    expected = Restorer(network).restore(blurred=photograph)
    np.testing.assert_array_equal(actual, expected)


def test_a_graph_that_computes_something_else_is_refused(
    network, photograph, monkeypatch, cache
):
    class Runtime:
        PRECISIONS, PACKAGES, EXTRA = ("float32",), ("keras",), "none"
        PORTABLE = True

        def convert(graph, inputs, folder):
            (folder / "graph").write_text("a graph")

        def load(folder, precision, threads):
            return lambda inputs: inputs["blurred"] + np.float32(0.01)

    monkeypatch.setattr(engine, "_runtime", lambda name: Runtime)
    with pytest.warns(engines.EngineWarning, match="differs by"):
        Restorer(network, engine="openvino").restore(blurred=photograph)
    assert not list(cache.iterdir())


def test_a_kept_graph_that_does_not_load_is_told_and_computed_by_keras(
    network, photograph, monkeypatch, cache
):
    """As where a library that it needs is not there any more."""

    class Runtime:
        PRECISIONS, PACKAGES, EXTRA = ("float32",), ("keras",), "none"
        PORTABLE = True

        def load(folder, precision, threads):
            raise OSError("no such library")

    def make(description, make):
        cache.mkdir()
        return cache

    monkeypatch.setattr(engine, "_runtime", lambda name: Runtime)
    monkeypatch.setattr(graph_cache, "cached_graph", make)
    restorer = Restorer(network, engine="native", tile=0)
    with pytest.warns(engines.EngineWarning, match="no such library"):
        actual = restorer.restore(blurred=photograph)
    expected = Restorer(network, tile=0).restore(blurred=photograph)
    np.testing.assert_array_equal(actual, expected)


def test_missing_packages_are_named_with_their_extra(network, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(engines.EngineError, match=r'pip install "tf-defocus\[onnx\]"'):
        Restorer(network, engine="onnxruntime")
    with pytest.raises(engines.EngineError, match=r"tf-defocus\[openvino\]"):
        Restorer(network, engine="openvino")
    seconds = {"tensorflow": 1.0, "native": 0.5}
    monkeypatch.setattr(choice, "measure", lambda *given: seconds)
    assert choice.candidates(network) == ["native"]
    assert Restorer(network, engine="auto").engine.name == "native"


def test_unknown_engines_are_refused(network):
    with pytest.raises(engines.EngineError, match=r"one of .*Received: 'torch'"):
        Restorer(network, engine="torch")


def test_another_engine_must_be_clearly_faster():
    assert choice.choose({"tensorflow": 1.0, "openvino": 0.95}) == "tensorflow"
    assert choice.choose({"tensorflow": 1.0, "openvino": 0.7}) == "openvino"
    three = {"tensorflow": 1.0, "openvino": 0.7, "onnxruntime": 0.6}
    assert choice.choose(three) == "onnxruntime"


def test_the_fastest_is_measured_once_and_remembered(network, monkeypatch, cache):
    if engine.missing_packages("openvino"):
        pytest.skip("needs openvino")
    measured = []

    def measure(network, batch_statistics, candidates):
        measured.append(candidates)
        return {"tensorflow": 2.0, "openvino": 1.0}

    monkeypatch.setattr(choice, "measure", measure)
    for _ in range(2):
        assert choice.fastest_engine(network, False) == "openvino"
    assert len(measured) == 1
    choices = cache / choice.CHOICES
    (entry,) = json.loads(choices.read_text()).values()
    assert entry["seconds"] == {"tensorflow": 2.0, "openvino": 1.0}
    choices.write_text('{"half')
    assert choice.fastest_engine(network, False) == "openvino"
    assert len(measured) == 2


def test_the_command_says_in_one_line_what_to_install(tmp_path, monkeypatch, capsys):
    photograph = tmp_path / "photo.png"
    photograph.write_bytes(b"not looked at")
    monkeypatch.setattr(engine, "missing_packages", lambda name: ["openvino"])
    arguments = ["-i", str(photograph), "-o", str(tmp_path / "out")]
    assert cli.main(["deblur", *arguments, "--engine", "openvino"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('pip install "tf-defocus[openvino]"')
    assert not (tmp_path / "out").exists()
