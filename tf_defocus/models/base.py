"""What a network must offer so that the rest of the package can use it.

A new network derives from `RestorationNetwork` and states what is asked below; the
`Restorer`, the exported graph, the training loop and the conformance test ask these
names and nothing else.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import keras

from tf_defocus.ops.tensor import Shape, Tensor


class RestorationNetwork(keras.Model):
    """A network that takes a dict of images and returns a dict, the result first.

    A subclass must state, as a property or a class attribute:

        view_names       tuple of str, names of the input images: "blurred", "left",
                         "right"
        size_multiple    (int, int), what height and width must divide by
        receptive_field  int [px], extent of the pixels an output pixel depends on; a
                         halo of half of it makes tiles exact
        call(inputs, training=None)  dict in, dict out, see below
        get_config()     every constructor argument of its own

    and may change:

        output_name      str, the first key of its output; "deblurred" is an image of
                         the inputs' size, not clipped
        border_margin    int [px]; zeros that convolutions pad with change colours so
                         near the border: the `Restorer` and the exported graph mirror
                         the image so far around it first
        exact_tiling     bool; False where it pools over the whole image at full size:
                         the `Restorer` then keeps images whole or blends tiles
        works_in_stages  bool; True where it offers `encode(inputs)`,
                         `transform(features)` and `decode(inputs, features)`, with
                         `feature_stride` [px] and `halo` [px]: tiles are encoded and
                         decoded apart, and `transform` sees the whole image's features
        transform_halos  tuple of int [px of the features]; where it is not empty,
                         `transform` is also a chain of as many steps,
                         `transform_step(index, features)`, each exact on a strip of
                         rows with that margin: large features go through it in strips
        transform_pools  bool; True where a step also takes `means`, (batch, 1, 1,
                         channels), those of all the features it is given
        frame_maps(height, width)  further inputs that depend on the place in the frame,
                         which a tile cannot know
        offers_batch_statistics  bool; True where `call` takes `batch_statistics=True`
                         to normalise by the image at hand at inference

    `scale_choice` is the path of the choice of sizes that was calibrated for the
    weights at hand, which `load_preset` finds beside them, or None.

    Inputs are (batch, height, width, 3) float32 in [0, 1], sRGB-encoded.

    Args:
        variant: "paper", or "released" as the authors' weights need it; of several
            networks the two are the same.
        **kwargs: of `keras.Model`: `name`, `dtype`.

    Raises:
        ValueError: if `variant` is neither, or if Keras puts channels first.
    """

    output_name = "deblurred"
    border_margin = 16
    exact_tiling = True
    works_in_stages = False
    transform_halos = ()
    transform_pools = False
    offers_batch_statistics = False
    scale_choice: pathlib.Path | None = None

    def __init__(self, variant: str = "paper", **kwargs: Any) -> None:
        if keras.config.image_data_format() != "channels_last":
            raise ValueError(
                "Expected images with channels last. Received: image_data_format "
                f"{keras.config.image_data_format()}; set it to channels_last in "
                "~/.keras/keras.json or by keras.config.set_image_data_format"
            )
        # The photograph keeps its float32 precision: only the layers cast.
        super().__init__(autocast=False, **kwargs)
        check_choice("variant", variant, ("paper", "released"))
        self.variant = variant

    def frame_maps(self, height: int, width: int) -> dict[str, Tensor]:
        """Further inputs that tell of every pixel where in the photograph it lies.

        Args:
            height, width: int or scalar integer tensor [px], of the whole photograph.

        Returns:
            dict of (height, width, channels) float32; of most networks, none.
        """
        del height, width
        return {}

    def build(self, input_shape: Shape | None = None) -> None:
        """Creates every weight by tracing the smallest image, one that divides.

        JAX cannot trace strided skips at unknown sizes. No layer remembers the size.
        """
        shape = (1, *self.size_multiple, 3)
        self.compute_output_spec(
            {name: keras.KerasTensor(shape) for name in self.view_names}
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "variant": self.variant}


class MonoOrDualNetwork(RestorationNetwork):
    """A network that can be made for the photograph or for two dual-pixel views.

    Args:
        views: 1 (photograph) or 2 (left and right).
        **kwargs: of `RestorationNetwork`.

    Raises:
        ValueError: if `views` is neither.
    """

    dual_view_names = ("left", "right")  # the inputs for `views=2`

    def __init__(self, views: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_choice("views", views, (1, 2))
        self.views = views

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the input images."""
        return ("blurred",) if self.views == 1 else self.dual_view_names

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "views": self.views}


def check_restores(network: RestorationNetwork) -> None:
    """Refuses a network whose result is no image.

    Args:
        network: `RestorationNetwork`.

    Raises:
        ValueError: if its `output_name` is not "deblurred", as DMENet's is "defocus".
    """
    if network.output_name != RestorationNetwork.output_name:
        raise ValueError(
            f"{network.name} estimates {network.output_name}, not an image; to deblur "
            "by its map, use tools/evaluate.py --classical two_step_dmenet"
        )


def check_views(network: RestorationNetwork, inputs: dict[str, Tensor]) -> None:
    """Refuses inputs that a network cannot compute with.

    Args:
        network: `RestorationNetwork`.
        inputs: dict of images.

    Raises:
        ValueError: if a view is missing, if two differ in size, or if the size does
            not divide by `size_multiple`.
    """
    missing = [name for name in network.view_names if name not in inputs]
    if missing:
        raise ValueError(
            f"{network.name} expects the views {network.view_names}. Received: "
            f"{sorted(inputs)}"
        )
    sizes = {tuple(inputs[name].shape[1:3]) for name in network.view_names}
    if len(sizes) > 1 and None not in set().union(*sizes):
        raise ValueError(f"The views must have one size. Received: {sorted(sizes)}")
    for size, multiple in zip(sizes.pop(), network.size_multiple):
        if size is not None and (size % multiple or not size):
            raise ValueError(
                "Height and width must be multiples of "
                f"{network.size_multiple}; pad_to_multiple does it. Received: "
                f"{tuple(inputs[network.view_names[0]].shape[1:3])}"
            )


def check_arguments(*rows: tuple[str, Any, bool, str]) -> None:
    """Refuses a constructor argument that is none of its values.

    Args:
        *rows: (name, value, whether it is good, what is expected in words).

    Raises:
        ValueError: for the first row that is not good.
    """
    for name, value, good, expected in rows:
        if not good:
            raise ValueError(f"{name} must be {expected}. Received: {name}={value!r}")


def check_choice(name: str, value: Any, allowed: Sequence) -> None:
    """Refuses a constructor argument that is not one of the allowed values.

    Raises:
        ValueError: naming the allowed values and the one received.
    """
    if value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}. Received: {name}={value!r}")
