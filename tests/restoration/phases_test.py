"""Networks in stages: neither tiles nor strips of features leave a seam."""

import numpy as np
import pytest

from tf_defocus.models import create_model
from tf_defocus.restoration import phases
from tf_defocus.restoration.engines.keras_engine import KerasEngine
from tf_defocus.restoration.restorer import Restorer

VIEWS = ("blurred", "left", "right")
IN_PHASES = pytest.mark.parametrize(
    "name, gain, overrides",
    [
        ("kpac_3level", 3, {"base_filters": 3}),
        ("kpac_3level_dual", 3, {"base_filters": 3}),
        ("ifan", 1, {"base_filters": 4, "num_iterations": 2}),
    ],
)


def in_phases(name, gain, overrides):
    """A small network that works in stages, and changes what it sees."""
    model = create_model(name, **overrides)
    for variable in model.trainable_variables:  # KPAC starts too small to show a seam
        variable.assign(variable * gain)
    return model


@IN_PHASES
def test_networks_in_phases_leave_no_seam(rng, name, gain, overrides):
    model = in_phases(name, gain, overrides)
    restorer = Restorer(model, tile=0)
    views = {
        view: rng.random((61, 181, 3), dtype=np.float32) for view in restorer.view_names
    }
    whole = restorer.restore(**views)
    restorer.tile = 2 * model.halo + 32
    tiled = restorer.restore(**views)
    assert np.abs(whole - views["blurred"]).max() > 0.01  # the network does something
    assert np.abs(tiled - whole).max() < 1 / 2550  # a tenth of a level


@IN_PHASES
def test_features_of_large_photographs_are_transformed_in_strips(
    rng, monkeypatch, name, gain, overrides
):
    engine = Restorer(in_phases(name, gain, overrides)).engine
    stages = []
    monkeypatch.setattr(
        engine, "run", lambda stage, given: stages.append(stage) or run(stage, given)
    )
    run = KerasEngine(engine.network, False).run
    shape = 1, 64, 64, 3
    views = {view: rng.random(shape, dtype=np.float32) for view in VIEWS}
    channels = engine("encode", inputs=views).shape[-1]
    features = rng.random((1, 200, 3, channels), dtype=np.float32)
    whole = engine("transform", features=features)
    monkeypatch.setattr(phases, "WHOLE_FEATURES", 300)
    strips = phases.transform(engine, features)
    assert len(stages[2:]) >= 2 * len(engine.network.transform_halos)
    assert np.ptp(whole) > 0.1
    np.testing.assert_allclose(strips, whole, atol=1e-5, rtol=1e-5)
