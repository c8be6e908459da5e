"""How much memory a network needs per pixel, from its graph, without running it."""

import tensorflow as tf

GIBIBYTE = 2**30
# Operations run side by side and kernels have scratch space of their own.
SAFETY = 2
_SIDE = 128  # px, about; larger than any network's reach in its graph's sizes


def bytes_per_pixel(model):
    """Memory of the tensors alive at once, at the worst moment, per pixel.

    The graph is traced for one image; operations are taken in the order they were
    traced, a tensor lives from the operation that makes it to the last that reads it.
    The worst sum, doubled for what runs side by side, is divided by the image's pixels.

    Args:
        model: `models.base.RestorationNetwork`.

    Returns:
        float [bytes per pixel].
    """
    rows, columns = (step * -(-_SIDE // step) for step in model.size_multiple)
    views = {
        name: tf.TensorSpec((1, rows, columns, 3), tf.float32)
        for name in model.view_names
    }
    maps = model.frame_maps(rows, columns)
    views |= {
        name: tf.TensorSpec((1, *value.shape), tf.float32)
        for name, value in maps.items()
    }
    function = tf.function(lambda inputs: model(inputs, training=False))
    graph = function.get_concrete_function(views).graph
    return SAFETY * _peak_bytes(graph.get_operations()) / (rows * columns)


def max_pixels(model, gibibytes=4.0):
    """How many pixels one call may hold so that its tensors fit.

    Args:
        model: `models.base.RestorationNetwork`.
        gibibytes: float, memory that the call may take.

    Returns:
        int.
    """
    return int(gibibytes * GIBIBYTE / bytes_per_pixel(model))


def _peak_bytes(operations):
    last_reader = {}
    for index, operation in enumerate(operations):
        for tensor in operation.inputs:
            last_reader[tensor.ref()] = index
    live, peak = 0, 0
    for index, operation in enumerate(operations):
        live += sum(map(_size, operation.outputs))
        peak = max(peak, live)
        read = {tensor.ref() for tensor in operation.inputs}
        live -= sum(_size(r.deref()) for r in read if last_reader[r] == index)
    return peak


def _size(tensor):
    """Bytes of what an operation computes; weights and unknown sizes count nothing."""
    if tensor.op.type in ("Const", "ReadVariableOp", "Placeholder"):
        return 0
    if tensor.shape.rank is None or not tensor.shape.is_fully_defined():
        return 0
    return tensor.shape.num_elements() * tensor.dtype.size
