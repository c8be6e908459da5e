"""Encoded photographs inside a served graph: PNG and JPEG to pixels, and back.

What arrives is checked from its header before anything is decoded, and shown upright as
its EXIF orientation says. TensorFlow's operations alone, so the graph needs no Python.
"""

import tensorflow as tf

_PNG_START = b"\x89PNG\r\n\x1a\n"
_EXIF_START = b"Exif\0\0"
_HEADER_BYTES = 1 << 17  # of a file: what EXIF is looked for in
_ORIENTATION_TAG = 0x0112


def decode_images(encoded, max_pixels):
    """Upright pixels of PNG (8 or 16 bits) and JPEG files.

    Args:
        encoded: (batch,) string, all of one height and width when upright.
        max_pixels: int, the most pixels of all files together.

    Returns:
        (batch, height, width, 3) float32 in [0, 1]; for no file (0, 0, 0, 3).
    """
    encoded = tf.convert_to_tensor(encoded)
    size = tf.TensorSpec((2,), tf.int32)
    sizes = tf.map_fn(_upright_size, encoded, fn_output_signature=size)
    pixels = tf.reduce_sum(tf.reduce_prod(tf.cast(sizes, tf.int64), axis=1))
    checks = [
        tf.debugging.assert_equal(
            sizes, sizes[:1], "The images of one call must have one size"
        ),
        check_pixels(pixels, max_pixels),
    ]
    with tf.control_dependencies(checks):
        encoded = tf.identity(encoded)
    image = tf.TensorSpec((None, None, 3), tf.float32)
    return tf.cond(
        tf.size(encoded) > 0,
        lambda: tf.map_fn(_decode_image, encoded, fn_output_signature=image),
        lambda: tf.zeros((0, 0, 0, 3)),
    )


def check_pixels(pixels, max_pixels):
    """Refuses a call of more pixels than fit the memory it was exported for.

    Args:
        pixels: scalar int64 tensor, of all images of the call.
        max_pixels: int.

    Returns:
        An operation to depend on.
    """
    return tf.debugging.assert_less_equal(
        pixels,
        tf.constant(max_pixels, tf.int64),
        f"One call may hold {max_pixels / 1e6:.1f} megapixels in all",
    )


def encode_images(images, like):
    """PNG files, of 16 bits where the given file is such a PNG and 8 elsewhere.

    Args:
        images: (batch, height, width, 3) float32 in [0, 1].
        like: (batch,) string, PNG or JPEG.

    Returns:
        (batch,) string.
    """
    return tf.map_fn(_encode_image, (images, like), fn_output_signature=tf.string)


def scaled(levels):
    """Integers -> float32 in [0, 1]."""
    return tf.cast(levels, tf.float32) / levels.dtype.max


def quantize(values, dtype):
    """Levels of values in [0, 1], halves to even, as the `Restorer` rounds."""
    return tf.cast(tf.round(values * dtype.max), dtype)


def read_orientation(encoded):
    """The EXIF orientation of one file.

    Args:
        encoded: scalar string, PNG or JPEG.

    Returns:
        Scalar int32, 1 to 8; 1 where the file says nothing that can be understood.
    """
    head = tf.strings.substr(encoded, 0, _HEADER_BYTES)
    exif = tf.cond(
        tf.io.is_jpeg(encoded), lambda: _exif_of_jpeg(head), lambda: _exif_of_png(head)
    )
    return tf.cond(tf.strings.length(exif) < 8, lambda: 1, lambda: _orientation(exif))


def _upright_size(encoded):
    """(height, width) that the header of a file states; fails on other formats."""
    is_jpeg = tf.io.is_jpeg(encoded)
    is_known = is_jpeg | (tf.strings.substr(encoded, 0, len(_PNG_START)) == _PNG_START)
    expected = "Expected PNG or JPEG files"
    with tf.control_dependencies([tf.debugging.assert_equal(is_known, True, expected)]):
        encoded = tf.identity(encoded)

    def png_size():
        stored = tf.strings.substr(encoded, 16, 8)  # of IHDR: width, height
        return tf.io.decode_raw(stored, tf.int32, little_endian=False)[::-1]

    size = tf.cond(is_jpeg, lambda: tf.io.extract_jpeg_shape(encoded)[:2], png_size)
    return tf.where(read_orientation(encoded) >= 5, size[::-1], size)


def _decode_image(encoded):
    def jpeg():
        # The accurate transform is what other readers use.
        method = "INTEGER_ACCURATE"
        return scaled(tf.io.decode_jpeg(encoded, channels=3, dct_method=method))

    def png():
        # 8 bits come as multiples of 257 = 65535 / 255, so nothing changes for them.
        return scaled(tf.io.decode_png(encoded, channels=3, dtype=tf.uint16))

    image = tf.cond(tf.io.is_jpeg(encoded), jpeg, png)
    return _upright(image, read_orientation(encoded))


def _upright(image, orientation):
    """As `images.exif.apply_orientation`, on a tensor."""

    def when(orientations, function, value):
        chosen = tf.reduce_any(orientation == tf.constant(orientations))
        return tf.cond(chosen, lambda: function(value), lambda: value)

    image = when((5, 6, 7, 8), lambda x: tf.transpose(x, (1, 0, 2)), image)
    image = when((3, 4, 7, 8), lambda x: x[::-1], image)
    return when((2, 3, 6, 7), lambda x: x[:, ::-1], image)


def _encode_image(image_and_source):
    image, source = image_and_source
    sixteen_bits = tf.strings.substr(source, 24, 1) == b"\x10"  # of IHDR
    return tf.cond(
        sixteen_bits & ~tf.io.is_jpeg(source),
        lambda: tf.io.encode_png(quantize(image, tf.uint16)),
        lambda: tf.io.encode_png(quantize(image, tf.uint8)),
    )


def _bytes(text, start, count):
    """`count` bytes as int32; zeros where the text ends before."""
    found = tf.strings.substr(tf.strings.join([text, "\0" * 16]), start, count)
    return tf.cast(tf.io.decode_raw(found, tf.uint8, fixed_length=count), tf.int32)


def _number(text, start, count, little_endian=False):
    """An unsigned integer of 2 bytes, or of 4 bytes below 2^31."""
    digits = _bytes(text, tf.minimum(start, tf.strings.length(text)), count)
    digits = tf.where(little_endian, digits, digits[::-1])
    digits = tf.concat([digits[:3], digits[3:] & 0x7F], 0)
    return tf.reduce_sum(digits * tf.constant([256**i for i in range(count)]))


def _exif_of_jpeg(head):
    """The TIFF structure of the APP1 segment, or an empty string."""
    end = tf.strings.length(head)

    def is_other(start):
        marker = _number(head, start, 2)
        named = tf.strings.substr(head, tf.minimum(start + 4, end), len(_EXIF_START))
        is_exif = (marker == 0xFFE1) & (named == _EXIF_START)
        is_segment = (marker >= 0xFFC0) & (marker != 0xFFDA)
        return is_segment & ~is_exif & (start + 4 < end)

    def following(start):
        return (start + 2 + tf.maximum(_number(head, start + 2, 2), 2),)

    (start,) = tf.while_loop(is_other, following, (tf.constant(2),))
    is_exif = (_number(head, start, 2) == 0xFFE1) & (start + 10 < end)
    return tf.cond(
        is_exif,
        lambda: tf.strings.substr(head, start + 10, _number(head, start + 2, 2) - 8),
        lambda: tf.constant(b""),
    )


def _exif_of_png(head):
    """The content of the eXIf chunk, or an empty string."""
    end = tf.strings.length(head)

    def name_at(start):
        return tf.strings.substr(head, tf.minimum(start + 4, end), 4)

    def is_other(start):
        name = name_at(start)
        return (name != b"eXIf") & (name != b"IEND") & (start + 8 < end)

    def following(start):
        length = tf.minimum(_number(head, start, 4), _HEADER_BYTES)
        return (start + 12 + length,)

    (start,) = tf.while_loop(is_other, following, (tf.constant(8),))
    return tf.cond(
        name_at(start) == b"eXIf",
        lambda: tf.strings.substr(head, start + 8, _number(head, start, 4)),
        lambda: tf.constant(b""),
    )


def _orientation(exif):
    """The tag in the first directory of a TIFF structure; 1 where it is not there."""
    little = tf.strings.substr(exif, 0, 2) == b"II"
    directory = tf.minimum(_number(exif, 4, 4, little), _HEADER_BYTES)
    count = tf.minimum(_number(exif, directory, 2, little), 512)

    def is_other(index):
        tag = _number(exif, directory + 2 + 12 * index, 2, little)
        return (index < count) & (tag != _ORIENTATION_TAG)

    (index,) = tf.while_loop(is_other, lambda i: (i + 1,), (tf.constant(0),))
    value = _number(exif, directory + 2 + 12 * index + 8, 2, little)
    return tf.where((index < count) & (value >= 1) & (value <= 8), value, 1)
