"""RDPD's gathering is measured as less faithful than layers, on the same scenes."""

import pytest

from tests import testing
from tf_defocus.synthesis import rdpd

tool = testing.load_tool("reproduce.rdpd_compat")


def test_layers_are_nearer_to_the_exact_aperture_than_gathering():
    scores = tool.measure(rdpd.CAMERAS[0], count=1, size=24, points=64, seed=2021)
    assert list(scores) == list(tool.RENDERERS)
    for view in (0, 1):
        assert scores["layers"][view] > scores["rdpd_compat"][view] + 6
        linear = scores["gathered, linear light"][view]
        assert scores["the same, sharp in focus"][view] > linear
    assert 0 < scores["layers"][2] < scores["rdpd_compat"][2] <= 1


def test_scenes_are_those_of_the_camera_and_reproducible():
    camera = rdpd.CAMERAS[1]
    first, again = (tool.draw_scenes(camera, 2, 16, seed=5) for _ in range(2))
    for (surfaces, shape), (others, other_shape) in zip(first, again):
        assert shape == other_shape
        for one, other in zip(surfaces, others):
            assert (one.radiance == other.radiance).all()
            assert abs(one.coc).max() <= 2 * camera.scale + 1e-4


def test_table_has_a_row_per_camera_and_renderer_and_their_means(monkeypatch):
    monkeypatch.setattr(rdpd, "CAMERAS", rdpd.CAMERAS[:2])
    monkeypatch.setattr(
        tool,
        "measure",
        lambda camera, *_: {n: (camera.scale, 1, 0.5) for n in tool.RENDERERS},
    )
    rows = tool.table(1, 16, 4, 0).splitlines()[2:]
    assert len(rows) == 3 * len(tool.RENDERERS)
    assert rows[0] == "| (4, 6, 5), 2.7 px | layers | 2.67 | 1.00 | 0.50 |"
    mean = sum(camera.scale for camera in rdpd.CAMERAS) / 2
    assert float(rows[-1].split("|")[3]) == pytest.approx(mean, abs=0.006)
