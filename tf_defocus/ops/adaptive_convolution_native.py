"""The separable adaptive convolution as a TensorFlow operation with its gradient.

Loaded, and built if need be, at first use; what it computes is defined in
`adaptive_convolution.py`.
"""

import tensorflow as tf

from tf_defocus.ops import build

_library = None
_error = None


class NativeKernelError(RuntimeError):
    """The native kernel could not be built or loaded."""


def load():
    """Loads the operation, building it first where the cache has none.

    A failure is remembered: it is tried once per process.

    Returns:
        The module of TensorFlow's generated wrappers.

    Raises:
        NativeKernelError: if it cannot be built or loaded.
    """
    global _library, _error
    if _error is not None:
        raise NativeKernelError(str(_error)) from _error
    if _library is None:
        try:
            _library = tf.load_op_library(str(build.build(toolchain())))
        except (build.BuildError, tf.errors.OpError) as error:
            _error = error
            raise NativeKernelError(str(error)) from error
    return _library


def toolchain():
    """The `build.Toolchain` of the installed TensorFlow."""
    return build.Toolchain(
        version=tf.version.VERSION,
        compile_flags=tuple(tf.sysconfig.get_compile_flags()),
        link_flags=tuple(tf.sysconfig.get_link_flags()),
        gpu=bool(tf.config.list_physical_devices("GPU")),
    )


def adaptive_step(features, filters, filter_size, negative_slope, reuse_vertical):
    """`separable_adaptive_convolution`, with arguments already checked."""
    return load().tf_defocus_adaptive_step(
        features=features,
        filters=filters,
        filter_size=filter_size,
        negative_slope=negative_slope,
        reuse_vertical=reuse_vertical,
    )


def computed_after(value, dependency):
    """`value`, with a control edge from `dependency`; nothing happens in eager mode."""
    with tf.control_dependencies([dependency]):
        return tf.identity(value)


@tf.RegisterGradient("TfDefocusAdaptiveStep")
def _gradient(operation, gradients):
    features, filters = operation.inputs
    return load().tf_defocus_adaptive_step_grad(
        features=features,
        filters=filters,
        outputs=operation.outputs[0],
        gradients=gradients,
        filter_size=operation.get_attr("filter_size"),
        negative_slope=operation.get_attr("negative_slope"),
        reuse_vertical=operation.get_attr("reuse_vertical"),
    )
