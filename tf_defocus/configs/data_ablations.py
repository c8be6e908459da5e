"""What each widening of the rendered scenes is worth: one taken away at a time.

    python tools/reproduce/data_ablation.py --manual_dir PHOTOS --output results/data

The changes are to `synthesis.scene_ranges.WIDE`, back to the narrower ranges.
"""

RECIPE = "kpac_2level_free"  # the budget
WIDENINGS = {
    "wide": {},
    "blur_of_2_to_26_px": {
        "max_coc": (2.0, 26.0),
        "max_coc_law": "uniform",
        "small_blur": 0.0,
    },
    "nothing_exactly_sharp": {"pristine": 0.0},
    "no_camera_files": {"sharpening": 0.0, "jpeg": 0.0},
    "less_noise": {"shot": (1e-5, 1e-3)},
    "plain_exposure": {"exposure": (0.5, 1.1), "highlight_gain": (1.0, 8.0)},
    "plain_outlines": {"smooth_outline": 0.0, "thin_structure": 0.0},
    "flat_objects": {"subject_slope": 1.0, "object_slope": 0.1},
    "photographs_alone": {"procedural": 0.0},
}
