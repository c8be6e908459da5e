"""Colours as networks trained with Caffe expect them."""

from keras import ops

from tf_defocus.ops.tensor import Tensor

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet, in [0, 255]


def to_caffe_colors(images: Tensor) -> Tensor:
    """Red, green, blue in [0, 1] -> blue, green, red in [0, 255] less ImageNet's mean.

    Args:
        images: (batch, height, width, 3) float.

    Returns:
        The same shape, float32.
    """
    mean = ops.convert_to_tensor(CAFFE_MEAN_BGR, dtype="float32")
    return ops.flip(ops.cast(images, "float32") * 255, axis=-1) - mean
