"""A real server on this machine: good requests, bad ones, limits, and its end."""

import concurrent.futures
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

import numpy as np
import orjson
import pytest

pytest.importorskip("kserve", reason='pip install ".[serving]"')

from tests.serving.small_server import (
    MAX_MEBIBYTES,
    MAX_PIXELS,
    MODEL,
    photograph,
    save_small_preset,
    small_server,
)
from tests.testing import run_tool
from tf_defocus.images import levels
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.restoration.restorer import Restorer
from tf_defocus.serving.clients import RefusedError, V2Client, send
from tf_defocus.serving.grpc_clients import V2GrpcClient
from tf_defocus.serving.sample_requests import Requests

STATUSES = {"a body beyond the limit": 413, "a PNG that claims": 413}
STATUSES |= {"a model that is not there": 404}


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return save_small_preset(tmp_path_factory.mktemp("presets"))


@pytest.fixture(scope="module")
def restorer(preset):
    return Restorer.from_preset(preset)


@pytest.fixture(scope="module")
def server(preset):
    with small_server(preset) as running:
        yield running


@pytest.fixture(scope="module")
def requests(server):
    return Requests(server.url, server.target, server.model, ("blurred",))


def metric(server, line):
    text = send(f"{server.url}/metrics", None, {}, 60)[0].decode()
    return float(
        next((t.split()[-1] for t in text.splitlines() if t.startswith(line)), 0)
    )


def test_every_good_request_is_answered_as_the_restorer_does(rng, requests, restorer):
    samples = requests.good(rng, 20, 31)
    assert len({sample.protocol for sample in samples}) == 15
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda sample: sample.ask(), samples))
    for sample, answer in zip(samples, answers):
        expected = restorer.restore(**sample.pixels)
        assert answer.dtype == expected.dtype, sample.protocol
        tolerance = 1.01 / 255 if answer.dtype == np.uint8 else 3e-5
        np.testing.assert_allclose(
            levels.to_float(answer), levels.to_float(expected), rtol=0, atol=tolerance
        )


def test_every_bad_request_is_refused_with_one_reason(rng, requests, server):
    bad = requests.bad(MAX_MEBIBYTES << 20)
    assert len(bad) == 37
    for what, ask in bad.items():
        with pytest.raises(RefusedError) as refused:
            ask()
        wanted = next((s for key, s in STATUSES.items() if key in what), 400)
        grpc = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND"}
        assert refused.value.status in (wanted, grpc.get(wanted)), what
        reason = str(refused.value)
        assert "Traceback" not in reason and "\n" not in reason and len(reason) > 30
    assert V2Client(server.url, MODEL, 60).restore({"blurred": photograph(rng)}).any()


def test_health_readiness_models_and_metrics(server):
    for path, expected in (
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        (f"/v2/models/{MODEL}/ready", {"name": MODEL, "ready": True}),
        (f"/v1/models/{MODEL}", {"name": MODEL, "ready": True}),
        ("/v1/models", {"models": [MODEL]}),
    ):
        assert orjson.loads(send(server.url + path, None, {}, 60)[0]) == expected
    assert V2GrpcClient(server.target, MODEL, 60).view_names() == ("blurred",)
    asked = 'tf_defocus_requests_total{protocol="v2",status="200"}'
    before = metric(server, asked)
    V2Client(server.url, MODEL, 60).restore({"blurred": np.ones((8, 8, 3), np.uint8)})
    assert metric(server, asked) == before + 1
    assert metric(server, "tf_defocus_waiting_photographs ") == 0
    assert metric(server, "request_predict_seconds_count") >= 1


@pytest.mark.parametrize(
    "path, status",
    [
        ("/v2/repository/models/small/unload", 403),
        ("/v2/repository/models/small/load", 403),
        ("/v1/models/small:explain", 403),
        ("/v2/models/nothing/infer", 404),
        ("/nothing", 404),
        ("/v2/models/small/versions/2/infer", 400),
    ],
)
def test_what_it_does_not_offer_is_refused(server, path, status):
    with pytest.raises(RefusedError) as refused:
        send(server.url + path, b"{}", {"content-type": "application/json"}, 60)
    assert refused.value.status == status


def test_arrays_of_too_many_pixels_are_refused_over_each_protocol(server):
    views = {"blurred": np.zeros((101, MAX_PIXELS // 100, 3), np.uint8)}
    for client in (
        V2Client(server.url, MODEL, 60),
        V2GrpcClient(server.target, MODEL, 60),
    ):
        with pytest.raises(RefusedError, match="this server takes 20000 per request"):
            client.restore(views)


def test_a_message_beyond_the_limit_is_refused_over_grpc(server):
    views = {"blurred": np.zeros((1, 400_000, 3), np.uint8)}
    with pytest.raises(RefusedError, match="RESOURCE_EXHAUSTED"):
        V2GrpcClient(server.target, MODEL, 60).restore(views)


@pytest.mark.parametrize("protocol", ["v1", "v2", "v2_grpc"])
def test_a_folder_is_sent_and_comes_back(
    server, restorer, rng, tmp_path, protocol, capsys
):
    """Depths and formats as the command keeps them; a damaged file is told."""
    sent, got = tmp_path / "photos", tmp_path / "restored"
    sent.mkdir()
    eight, sixteen = photograph(rng), photograph(rng).astype(np.uint16) * 257
    write_image(sent / "eight.png", Image(eight, resolution=(72.0, 72.0, "inch")))
    write_image(sent / "sixteen.tif", Image(sixteen))
    (sent / "damaged.png").write_bytes((sent / "eight.png").read_bytes()[:90])
    address = server.target if protocol == "v2_grpc" else server.url
    to_server = ("--server", address, "--name", MODEL, "--protocol", protocol)
    folders = ("--input", sent, "--output", got)
    assert run_tool("serve_client", *folders, *to_server, "--quiet") == 1
    told = capsys.readouterr()
    assert (
        "damaged.png: cannot be read" in told.err and "2 restored, 1 failed" in told.out
    )
    for name, pixels in (("eight.png", eight), ("sixteen.tif", sixteen)):
        image = read_image(got / name)
        expected = restorer.restore(blurred=pixels)
        assert image.pixels.dtype == expected.dtype
        found = levels.to_float(image.pixels)
        np.testing.assert_allclose(found, levels.to_float(expected), atol=1.01 / 255)
    assert read_image(got / "eight.png").resolution is not None
    (sent / "damaged.png").unlink()
    again = (*folders, *to_server, "--quiet", "--skip_existing")
    assert run_tool("serve_client", *again) in (None, 0)
    assert "2 skipped" in capsys.readouterr().out


@pytest.mark.parametrize(
    "address, protocol, reason",
    [
        ("http://127.0.0.1:9", "v2", "refused"),
        ("127.0.0.1:9", "v2", "wants --server http://HOST:PORT"),
        ("http://127.0.0.1:9", "tensorflow_serving", "wants --server HOST:PORT"),
    ],
)
def test_a_server_that_is_not_there_is_one_line(
    rng, tmp_path, address, protocol, reason
):
    write_image(tmp_path / "a.png", Image(photograph(rng)))
    folders = ("--input", tmp_path / "a.png", "--output", tmp_path / "out")
    to_server = ("--server", address, "--name", "m", "--protocol", protocol)
    said = run_tool("serve_client", *folders, *to_server, "--attempts=1")
    assert said.startswith("serve_client: ") and reason in said
    assert not (tmp_path / "out").exists()


def test_half_a_request_costs_nothing(server, rng):
    place = urllib.parse.urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(b"POST /v1/models/small:predict HTTP/1.1\r\ncontent-le")
        views = {"blurred": photograph(rng)}
        assert V2Client(server.url, MODEL, 60).restore(views).shape == (20, 31, 3)


def test_what_was_accepted_is_answered_after_sigterm(preset, rng):
    with small_server(preset) as server:
        place = urllib.parse.urlsplit(server.url)
        body = b'{"inputs": [[[[0.5, 0.5, 0.5]]]]}'
        waiting = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        waiting.putrequest("POST", "/v1/models/small:predict")
        waiting.putheader("content-length", str(len(body)))
        waiting.endheaders(body[:10])  # its head is read before the signal
        time.sleep(0.5)
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            views = {"blurred": photograph(rng, 90, 110)}
            asked = [
                clients.submit(V2Client(server.url, MODEL, 60).restore, views)
                for _ in range(4)
            ]
            time.sleep(0.2)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(1)
            with pytest.raises(OSError):
                socket.create_connection((place.hostname, place.port)).close()
            waiting.send(body[10:])
            assert waiting.getresponse().status == 200
            answered = sum(future.exception() is None for future in asked)
        code, said = server.stop()
    count = answered + 1
    assert (code, said) == (0, f"stopped: {count} requests accepted, {count} answered")


@pytest.mark.parametrize(
    "arguments, reason",
    [
        ([], "give --preset or --saved_model"),
        (["--saved_model", "nothing"], "expected a SavedModel"),
    ],
)
def test_what_cannot_be_served_is_one_line(arguments, reason):
    command = [sys.executable, "-m", "tf_defocus.serving", *arguments]
    level = "TF_CPP_MIN_LOG_LEVEL"  # other tests may have set it
    environment = {k: v for k, v in os.environ.items() if k != level}
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1 and reason in result.stderr
    assert "Traceback" not in result.stderr and len(result.stderr.splitlines()) == 1
