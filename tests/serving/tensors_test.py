"""Inputs of both protocols become arrays, or are refused with a reason."""

import base64

import numpy as np
import orjson
import pytest

pytest.importorskip("kserve", reason='pip install ".[serving]"')

from tf_defocus.serving import v1, v2
from tf_defocus.serving.refusals import Refusal
from tf_defocus.serving.tensors import (
    BYTES,
    Tensor,
    from_numbers,
    from_raw,
    of_array,
    to_raw,
)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_arrays_travel_as_bytes_unchanged(rng, dtype):
    array = (rng.random((2, 3, 4, 3)) * 200).astype(dtype)
    tensor = of_array("blurred", array)
    back = from_raw("blurred", tensor.datatype, tensor.shape, to_raw(tensor))
    np.testing.assert_array_equal(back.values, array)
    assert back.values.dtype == array.dtype


def test_files_travel_as_bytes_unchanged():
    tensor = Tensor("blurred", BYTES, [b"one", b"", b"\xff\0three"])
    back = from_raw("blurred", BYTES, [3], to_raw(tensor))
    assert back.values == tensor.values and back.shape == [3]


@pytest.mark.parametrize(
    "datatype, shape, raw, reason",
    [
        ("FP64", [1], bytes(8), "expected datatype UINT8"),
        ("FP32", [60000, 60000], bytes(8), "has 14400000000 bytes; received 8"),
        ("FP32", [-1], b"", "expected a shape"),
        ("FP32", [1.5], b"", "expected a shape"),
        ("FP32", [True], bytes(4), "expected a shape"),
        ("FP32", "3", b"", "expected a shape"),
        ("FP32", [1] * 9, bytes(4), "expected a shape"),
        (BYTES, [1], b"\xff\xff\xff\xffabc", "end before their length says"),
        (BYTES, [1], b"\x01\0", "end before their length says"),
        (BYTES, [2], b"\x01\0\0\0a", "each after its length"),
        (BYTES, [1], b"\x01\0\0\0aa", "each after its length"),
        (BYTES, [1, 1], b"\x01\0\0\0a", "each after its length"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(datatype, shape, raw, reason):
    with pytest.raises(Refusal, match=reason) as refused:
        from_raw("blurred", datatype, shape, raw)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "datatype, shape, numbers, reason",
    [
        ("UINT8", None, [[0.5]], "lists of whole numbers"),
        ("UINT8", None, [[256]], "0 to 255; received 256 to 256"),
        ("UINT8", None, [[-1]], "0 to 255"),
        ("UINT8", None, [[True]], "something else"),
        ("FP32", None, [["a"]], "something else"),
        ("FP32", None, [[1.0], [1.0, 2.0]], "equal lengths"),
        ("FP32", None, 5.0, "something else"),
        ("FP32", None, [{}], "something else"),
        ("FP32", None, [10**30], "something else"),
        ("FP32", [2, 2], [1.0, 2.0], r"has 4 values; received 2"),
        ("INT8", None, [1], "expected datatype"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(datatype, shape, numbers, reason):
    with pytest.raises(Refusal, match=reason):
        from_numbers("blurred", datatype, shape, numbers)


def test_rows_and_columns_of_v1_are_the_same_request(rng):
    files = [b"first", b"second"]
    coded = [{"b64": base64.b64encode(file).decode()} for file in files]
    bodies = (
        {"instances": coded},
        {"instances": [{"blurred": file} for file in coded]},
        {"inputs": coded, "signature_name": "encoded"},
        {"inputs": {"blurred": coded}},
    )
    for body in bodies:
        (tensor,), in_rows = v1.read_request(orjson.dumps(body), ("blurred",))
        assert (tensor.name, tensor.values) == ("blurred", files)
        assert in_rows == ("instances" in body)
    answer = Tensor("encoded_bytes", BYTES, files)
    rows = orjson.loads(v1.write_answer(answer, True))["predictions"]
    assert rows == [{"encoded_bytes": file} for file in coded]
    assert orjson.loads(v1.write_answer(answer, False)) == {
        "outputs": {"encoded_bytes": coded}
    }


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"", "empty body"),
        (b"{", "no JSON"),
        (b"[1]", "another value"),
        (b"{}", "one of them; received none"),
        (b'{"instances": [], "inputs": []}', "one of them"),
        (b'{"instances": []}', "one photograph or more"),
        (b'{"instances": [{"a": 1, "b": 1}, {"a": 1}]}', "same views"),
        (b'{"inputs": {}}', "a list per view"),
        (b'{"inputs": {"a": 1}}', "a list per view"),
        (b'{"inputs": [1], "signature_name": ["a"]}', "expected signature_name"),
        (b'{"inputs": [{"b64": 1}]}', "expected files as"),
        (b'{"inputs": [{"b64": "a"}]}', "expected base64"),
        (b'{"inputs": [{"b64": "a*=="}]}', "expected base64"),
        (b'{"inputs": [{"b64": "YQ=="}, 1]}', "expected files as"),
    ],
)
def test_other_bodies_are_refused_by_v1(body, reason):
    with pytest.raises(Refusal, match=reason):
        v1.read_request(body, ("blurred",))


def test_v2_takes_json_and_binary_values_alike(rng):
    array = rng.integers(0, 256, (1, 2, 2, 3), dtype=np.uint8)
    body, headers = v2.write_request([of_array("blurred", array)])
    binary = v2.read_request(body, headers[v2.LENGTH_HEADER])
    described = {"name": "blurred", "datatype": "UINT8", "shape": [1, 2, 2, 3]}
    content = {"id": "7", "inputs": [{**described, "data": array.ravel().tolist()}]}
    plain = v2.read_request(orjson.dumps(content))
    for request in (binary, plain):
        np.testing.assert_array_equal(request.tensors[0].values, array)
    assert binary.binary and not plain.binary and plain.id == "7"
    answer, headers = v2.write_answer(binary, "m", binary.tensors[0])
    found = v2.read_answer(answer, headers[v2.LENGTH_HEADER])
    np.testing.assert_array_equal(found.values, array)
    answer, _ = v2.write_answer(plain, "m", plain.tensors[0])
    assert orjson.loads(answer)["outputs"][0]["data"] == array.ravel().tolist()


@pytest.mark.parametrize(
    "content, length, reason",
    [
        (b"", None, "empty body"),
        (b"{}", "9", "expected up to 2"),
        (b"{}", "-1", "expected up to 2"),
        (b"{}", None, '"inputs", a list'),
        (b'{"inputs": [1]}', None, "with name, datatype"),
        (b'{"inputs": [{"name": "a"}]}', None, "expected data, or binary_data_size"),
        (
            b'{"inputs": [{"name": "a", "datatype": "BYTES", "shape": [2], '
            b'"data": ["YQ=="]}]}',
            None,
            r"expected shape \[1\]",
        ),
        (
            b'{"inputs": [{"name": "a", "datatype": "BYTES", "shape": [1], '
            b'"data": [1]}]}',
            None,
            "base64 texts",
        ),
        (
            b'{"inputs": [{"name": "a", "datatype": "UINT8", "shape": [1], '
            b'"data": [1]}]}xx',
            "70",
            "bytes follow|no JSON",
        ),
    ],
)
def test_other_bodies_are_refused_by_v2(content, length, reason):
    with pytest.raises(Refusal, match=reason):
        v2.read_request(content, length)
