"""Protocol v2, the Open Inference Protocol, over HTTP: JSON, binary values after it.

KServe's own reader of binary bodies turns every value into an object of Python's and
reads BYTES as UTF-8 text, which no photograph is; so bodies are read here. In JSON,
BYTES are base64 texts.
"""

import base64
import dataclasses
import uuid
from typing import Any

import orjson

from tf_defocus.serving.refusals import Refusal
from tf_defocus.serving.tensors import BYTES, Tensor, from_numbers, from_raw, to_raw
from tf_defocus.serving.v1 import decode_base64, load_json

LENGTH_HEADER = "inference-header-content-length"  # of the JSON before binary values


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as v2 carries it.

    Attributes:
        id: str, given back with the answer.
        tensors: list of `Tensor`.
        binary: bool, whether the answer's values are wanted after the JSON.
    """

    id: str
    tensors: list[Tensor]
    binary: bool = False


def read_request(body: bytes, json_length: str | None = None) -> Request:
    """The request that a body holds.

    Args:
        body: bytes.
        json_length: the header `Inference-Header-Content-Length`, or None.

    Returns:
        `Request`.

    Raises:
        Refusal: for a body of another form.
    """
    length = len(body)
    if json_length is not None:
        length = int(json_length) if json_length.isdecimal() else -1
        if not 0 <= length <= len(body):
            raise Refusal(
                f"{LENGTH_HEADER}: expected up to {len(body)}, the body's length; "
                f"received {json_length:.20}"
            )
    content, raw = load_json(body[:length]), memoryview(body)[length:]
    inputs = content.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise Refusal('expected "inputs", a list of one tensor or more')
    tensors = []
    for given in inputs:
        tensor, taken = _read_input(given, raw)
        tensors.append(tensor)
        raw = raw[taken:]
    if len(raw):
        raise Refusal(f"{len(raw)} bytes follow the last input; correct the sizes")
    name = content.get("id")
    name = name if isinstance(name, str) else str(uuid.uuid4())
    return Request(name, tensors, _wants_binary(content))


def write_answer(
    request: Request, model_name: str, tensor: Tensor
) -> tuple[bytes, dict[str, str]]:
    """The body of an answer and its headers.

    Args:
        request: what is answered.
        model_name: str.
        tensor: the output.

    Returns:
        `(body, headers)`: bytes and a dict.
    """
    output = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    content = {"model_name": model_name, "id": request.id, "outputs": [output]}
    if request.binary:
        raw = to_raw(tensor)
        output["parameters"] = {"binary_data_size": len(raw)}
        head = orjson.dumps(content)
        return head + raw, _binary_headers(head)
    if tensor.datatype == BYTES:
        output["parameters"] = {"content_type": "base64"}
        output["data"] = [base64.b64encode(v).decode() for v in tensor.values]
    else:
        output["data"] = tensor.values.reshape(-1)
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return body, {"content-type": "application/json"}


def write_request(tensors: list[Tensor]) -> tuple[bytes, dict[str, str]]:
    """The body of a request with binary values, and its headers.

    Args:
        tensors: the inputs.

    Returns:
        `(body, headers)`: bytes and a dict.
    """
    inputs, raws = [], []
    for tensor in tensors:
        raws.append(to_raw(tensor))
        described = {k: getattr(tensor, k) for k in ("name", "datatype", "shape")}
        size = {"binary_data_size": len(raws[-1])}
        inputs.append({**described, "parameters": size})
    content = {"inputs": inputs, "parameters": {"binary_data_output": True}}
    head = orjson.dumps(content)
    return b"".join((head, *raws)), _binary_headers(head)


def read_answer(body: bytes, json_length: str) -> Tensor:
    """The output in the body of an answer with binary values.

    Args:
        body: bytes.
        json_length: the header `Inference-Header-Content-Length`.

    Returns:
        `Tensor`.

    Raises:
        Refusal: for a body of another form.
    """
    head = int(json_length)
    outputs = load_json(body[:head]).get("outputs") or [{}]
    return _read_input(outputs[0], memoryview(body)[head:])[0]


def _binary_headers(head):
    return {
        "content-type": "application/octet-stream",
        LENGTH_HEADER: str(len(head)),
    }


def _read_input(given, raw):
    """A tensor, and how many of the binary values it took."""
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise Refusal("expected inputs with name, datatype, shape and data")
    name, datatype = given["name"][:40], str(given.get("datatype"))
    shape, data = given.get("shape"), given.get("data")
    if data is None:
        size = _parameters(given).get("binary_data_size")
        if type(size) is not int or not 0 <= size <= len(raw):
            raise Refusal(
                f"{name}: expected data, or binary_data_size of up to the {len(raw)} "
                "bytes that follow"
            )
        return from_raw(name, datatype, shape, bytes(raw[:size])), size
    if datatype != BYTES:
        return from_numbers(name, datatype, shape, data), 0
    if not isinstance(data, list) or not all(isinstance(v, str) for v in data):
        raise Refusal(f"{name}: expected BYTES as a list of base64 texts")
    if shape != [len(data)]:
        raise Refusal(f"{name}: expected shape [{len(data)}]; received {shape!r:.60}")
    return Tensor(name, BYTES, [decode_base64(name, text) for text in data]), 0


def _parameters(given: Any) -> dict:
    found = given.get("parameters") if isinstance(given, dict) else None
    return found if isinstance(found, dict) else {}


def _wants_binary(content):
    outputs = content.get("outputs")
    first = outputs[0] if isinstance(outputs, list) and outputs else None
    return bool(
        _parameters(content).get("binary_data_output")
        or _parameters(first).get("binary_data")
    )
