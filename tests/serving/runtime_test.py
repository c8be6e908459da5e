"""The application without a process around it: what goes wrong, and timing."""

import asyncio
import time

import numpy as np
import orjson
import pytest

pytest.importorskip("kserve", reason='pip install ".[serving]"')

import kserve
from kserve.protocol.dataplane import DataPlane
from starlette.testclient import TestClient

from tf_defocus.serving.hosts import warm_up
from tf_defocus.serving.http_service import make_app
from tf_defocus.serving.limits import Limits
from tf_defocus.serving.refusals import Refusal
from tf_defocus.serving.runtime import RestorationModel, infer
from tf_defocus.serving.tensors import of_array

LIMITS = Limits(max_pixels=100, timeout=20)


class Host:
    """Adds one level; fails or waits over photographs of certain levels."""

    view_names = ("left", "right")

    def restore_batch(self, photographs):
        levels = [int(photo["left"][0, 0, 0]) for photo in photographs]
        if 66 in levels:
            raise RuntimeError("a secret of the inside")
        if 77 in levels:
            time.sleep(0.5)
        return [photo["left"] + 1 for photo in photographs]


@pytest.fixture
def plane():
    repository = kserve.ModelRepository()
    model = RestorationModel("m", Host(), LIMITS)
    repository.update(model)
    yield DataPlane(repository)
    model.close()


@pytest.fixture
def client(plane):
    with TestClient(make_app(plane, LIMITS), raise_server_exceptions=False) as opened:
        yield opened


def pair(level):
    photo = np.full((1, 2, 3, 3), level, np.uint8)
    return [of_array("left", photo), of_array("right", photo)]


def v1_body(level):
    photo = np.full((1, 2, 3, 3), level, np.uint8).tolist()
    inputs = {"left": photo, "right": photo}
    return orjson.dumps({"signature_name": "uint8", "inputs": inputs})


def test_both_views_reach_the_network(client):
    answer = client.post("/v1/models/m:predict", content=v1_body(5))
    assert answer.status_code == 200
    assert np.unique(answer.json()["outputs"]).tolist() == [6]
    described = client.get("/v2/models/m").json()
    assert [given["name"] for given in described["inputs"]] == ["left", "right"]


def test_a_fault_of_ours_is_told_without_its_inside(client, caplog):
    answer = client.post("/v1/models/m:predict", content=v1_body(66))
    assert answer.status_code == 500 and "log says why" in answer.json()["error"]
    assert "secret" not in answer.text and "secret" in caplog.text
    assert client.post("/v1/models/m:predict", content=v1_body(5)).status_code == 200


def test_what_takes_too_long_is_given_up(plane):
    with pytest.raises(Refusal, match=r"not answered within 0\.05 s") as refused:
        asyncio.run(infer(plane, "m", pair(77), 0.05))
    assert refused.value.status == 504


def test_a_model_that_stops_is_not_ready(plane, client):
    plane.get_model_from_registry("m").ready = False
    assert client.get("/v1/models/m").status_code == 503
    assert client.get("/v2/models/m/ready").status_code == 503


def test_a_network_that_fails_is_not_served():
    class Broken(Host):
        def restore_batch(self, photographs):
            raise ArithmeticError("not finite")

    warm_up(Host())
    with pytest.raises(ArithmeticError):
        warm_up(Broken())
