"""Protocol v1: TensorFlow's JSON, in rows (`instances`) or columns (`inputs`).

The names are those of the exported SavedModel, so a client of TensorFlow Serving's REST
interface finds the same here: `signature_name` is `serving_default` (float32 in
[0, 1]), `uint8` or `encoded` (files as `{"b64": ...}`).
"""

import base64
import binascii
from typing import Any

import orjson

from tf_defocus.serving.refusals import Refusal
from tf_defocus.serving.tensors import BYTES, Tensor, from_numbers

SIGNATURES = {"serving_default": "FP32", "uint8": "UINT8", "encoded": BYTES}
_EXPECTED = 'expected a JSON object with "instances" or "inputs"'


def load_json(body: bytes) -> dict[str, Any]:
    """The object that a body holds.

    Args:
        body: bytes.

    Returns:
        dict.

    Raises:
        Refusal: if it is empty, no JSON, or no object.
    """
    if not body.strip():
        raise Refusal("expected a JSON object; received an empty body")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(f"the body is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise Refusal("expected a JSON object; received another value")
    return content


def read_request(body: bytes, view_names: tuple[str, ...]) -> tuple[list[Tensor], bool]:
    """The inputs of a request.

    Args:
        body: bytes.
        view_names: tuple of str; where there is one, its name may be left out.

    Returns:
        `(tensors, in_rows)`: a list of `Tensor`, and how the answer is to be written.

    Raises:
        Refusal: for a body of another form.
    """
    content = load_json(body)
    if ("instances" in content) == ("inputs" in content):
        raise Refusal(f"{_EXPECTED}, one of them; received {_keys(content)}")
    in_rows = "instances" in content
    columns = (
        _columns_of_rows(content["instances"], view_names)
        if in_rows
        else _columns(content["inputs"], view_names)
    )
    name = content.get("signature_name") or _guess(columns)
    if not isinstance(name, str) or name not in SIGNATURES:
        raise Refusal(
            f"expected signature_name {', '.join(SIGNATURES)}; received {name!r:.40}"
        )
    datatype = SIGNATURES[name]
    return [_tensor(key, datatype, column) for key, column in columns.items()], in_rows


def write_answer(tensor: Tensor, in_rows: bool) -> bytes:
    """The body of an answer.

    Args:
        tensor: the output.
        in_rows: bool, as of `read_request`.

    Returns:
        JSON: in columns `{"outputs": ...}`; in rows `{"predictions": [...]}`, files
        as objects with their name.
    """
    if tensor.datatype == BYTES:
        values = [{"b64": base64.b64encode(v).decode()} for v in tensor.values]
        if in_rows:
            return orjson.dumps({"predictions": [{tensor.name: v} for v in values]})
        return orjson.dumps({"outputs": {tensor.name: values}})
    content = {"predictions" if in_rows else "outputs": tensor.values}
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def _columns_of_rows(rows, view_names):
    if not isinstance(rows, list) or not rows:
        raise Refusal('expected "instances", a list of one photograph or more')
    columns = {}
    for row in rows:
        if not isinstance(row, dict) or set(row) == {"b64"}:
            row = {view_names[0]: row}
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    if len({len(column) for column in columns.values()}) != 1:
        raise Refusal("expected the same views in each of the instances")
    return columns


def _columns(inputs, view_names):
    if isinstance(inputs, list):
        inputs = {view_names[0]: inputs}
    is_columns = isinstance(inputs, dict) and inputs
    if not is_columns or not all(isinstance(v, list) for v in inputs.values()):
        raise Refusal('expected "inputs", a list per view with one item per photograph')
    return inputs


def _guess(columns):
    column = next(iter(columns.values()))
    return "encoded" if column and isinstance(column[0], dict) else "serving_default"


def _tensor(name, datatype, column):
    if datatype != BYTES:
        return from_numbers(name, datatype, None, column)
    return Tensor(name, BYTES, [_file(name, value) for value in column])


def _file(name, value):
    text = value.get("b64") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise Refusal(f'{name}: expected files as {{"b64": "..."}}')
    return decode_base64(name, text)


def decode_base64(name: str, text: str) -> bytes:
    """The bytes of a file.

    Args:
        name: str, of the input, for the reason.
        text: str.

    Returns:
        bytes.

    Raises:
        Refusal: if it is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(f"{name}: expected base64 ({error})") from error


def _keys(content):
    return ", ".join(f"{key:.20}" for key in list(content)[:5]) or "none"
