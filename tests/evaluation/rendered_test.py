"""Rendered examples are those of the data set's builder."""

import numpy as np

from tf_defocus.evaluation.rendered import render_examples
from tf_defocus.synthesis import scenes


def test_examples_are_those_of_the_scenes_with_their_circles():
    made = list(render_examples(2, 48, exact=0, first=3))
    assert [example.name for example in made] == [
        "validation_000003",
        "validation_000004",
    ]
    expected = scenes.make_example(2021, "validation", 4, 48)
    np.testing.assert_array_equal(made[1].views["blurred"], expected["blurred"])
    np.testing.assert_array_equal(made[1].views["right"], expected["right"])
    np.testing.assert_array_equal(made[1].sharp, expected["sharp"])
    np.testing.assert_array_equal(made[1].coc, expected["coc"])
