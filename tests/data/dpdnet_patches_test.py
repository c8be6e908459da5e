"""DPDNet's patches: the published counts, and which are dropped."""

import numpy as np
import pytest

from tf_defocus.data import dpdnet_patches


def test_a_full_image_gives_the_published_28_and_12_patches():
    train = dpdnet_patches.patch_corners(1120, 1680, 512, 204)
    validation = dpdnet_patches.patch_corners(1120, 1680, 512, 506)
    assert len(set(train)) == len(train) == 28
    assert train[-1] == (608, 1168) and train[0] == (0, 0) and train[1] == (0, 204)
    assert len(set(validation)) == len(validation) == 12
    assert len(dpdnet_patches.sharpest(np.random.default_rng(0).random((28, 4)))) == 20


def test_exact_fit_has_no_double_patch_and_small_images_are_refused():
    assert dpdnet_patches.patch_corners(8, 12, 8, 4) == [(0, 0), (0, 4)]
    with pytest.raises(ValueError, match=r"8 x 8.*7 x 12"):
        dpdnet_patches.patch_corners(7, 12, 8, 4)


def test_energy_of_a_ramp_is_known():
    ramp = np.zeros((5, 6, 3), np.uint16) + np.arange(6, dtype=np.uint16)[:, None] * 10
    # 3 x 3 Sobel of a slope of 10: 80 inside, 0 at the mirrored border columns
    received = dpdnet_patches.sharpness_energies([ramp])[0, 0]
    assert received == pytest.approx(80 * 5 * 4)


def test_blurred_patches_go_first():
    random = np.random.default_rng(0)
    sharp = [random.integers(0, 65536, (16, 16, 3)).astype(np.uint16) for _ in range(7)]
    smooth = [(patch // 16).astype(np.uint16) for patch in sharp[:3]]
    energies = dpdnet_patches.sharpness_energies(smooth + sharp)
    assert dpdnet_patches.sharpest(energies, 0.3) == [3, 4, 5, 6, 7, 8, 9]


def test_patches_that_are_all_alike_are_ranked_by_order():
    energies = dpdnet_patches.sharpness_energies([np.zeros((8, 8, 3), np.uint8)] * 10)
    assert dpdnet_patches.sharpest(energies, 0.3) == [3, 4, 5, 6, 7, 8, 9]
