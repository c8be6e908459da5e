"""What the container's files name exists; the containers themselves are not built here.

TensorFlow Serving's configuration is read by its own messages where the package of its
interface has them.
"""

import ast
import importlib.util
import re
import shlex

import pytest
import yaml
from google.protobuf import text_format

from tests.documents_test import extras
from tests.testing import ROOT
from tf_defocus.cli import deblur
from tf_defocus.restoration.engines import engine

pytest.importorskip("tensorflow_serving", reason='pip install ".[serving]"')

SERVING = ROOT / "serving"
COMPOSE = yaml.safe_load((SERVING / "docker-compose.yml").read_text())["services"]
# Of `tensorflow_model_server --help` that are used here.
SERVER_FLAGS = {
    "model_config_file",
    "enable_batching",
    "batching_parameters_file",
    "monitoring_config_file",
    "rest_api_timeout_in_ms",
}
# Of a service in the Compose specification, that are used here.
SERVICE_KEYS = {
    "build",
    "command",
    "image",
    "mem_limit",
    "ports",
    "read_only",
    "stop_grace_period",
    "tmpfs",
    "volumes",
}
BATCHING = {  # fields of BatchingParameters, whose message the package lacks
    "max_batch_size",
    "batch_timeout_micros",
    "max_enqueued_batches",
    "num_batch_threads",
}


def instructions():
    """(word, rest) of each instruction of the Dockerfile, continued lines joined."""
    text = (SERVING / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def our_flags():
    source = (ROOT / "tf_defocus" / "serving" / "__main__.py").read_text()
    return set(re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", source))


def names(arguments):
    assert all(argument.startswith("--") for argument in arguments)
    return {argument[2:].partition("=")[0] for argument in arguments}


def test_the_image_copies_what_is_there_and_installs_it_with_its_extras():
    allowed = (SERVING / "Dockerfile.dockerignore").read_text()
    for word, rest in instructions():
        if word == "COPY":
            *sources, _ = shlex.split(rest)
            assert all((ROOT / source).exists() for source in sources)
            assert all(f"!{source}\n" in allowed for source in sources)
    (install,) = (rest for word, rest in instructions() if "pip install" in rest)
    asked = re.search(r"\.\[([\w,]+)\]", install).group(1)
    assert set(asked.split(",")) <= extras()
    assert "--constraint constraints.txt" in install


def test_the_image_starts_the_server_with_flags_that_it_has():
    words = dict(instructions())
    entry, command = yaml.safe_load(words["ENTRYPOINT"]), yaml.safe_load(words["CMD"])
    assert entry[:2] == ["python", "-m"] and importlib.util.find_spec(entry[2])
    assert names(entry[3:] + command) <= our_flags()
    assert words["EXPOSE"].split() == ["8080", "8081"] and words["USER"] != "root"
    assert "/v2/health/ready" in words["HEALTHCHECK"]


def test_the_server_takes_every_engine():
    source = (ROOT / "tf_defocus" / "serving" / "__main__.py").read_text()
    listed = re.search(r'"engine",\s+"tensorflow",\s+(\(.*?\))', source, re.DOTALL)
    assert ast.literal_eval(listed.group(1)) == deblur.ENGINES == engine.ENGINES


def test_the_services_name_files_and_flags_that_exist():
    ours, theirs = COMPOSE["restorer"], COMPOSE["tensorflow_serving"]
    build = ours["build"]
    assert (SERVING / build["context"] / build["dockerfile"]).is_file()
    assert names(ours["command"]) <= our_flags()
    assert names(theirs["command"]) == SERVER_FLAGS
    places = dict(volume.split(":")[1::-1] for volume in theirs["volumes"])
    for argument in theirs["command"]:
        path = argument.partition("=")[2]
        if path.startswith("/config/"):
            assert (
                SERVING / places["/config"] / path.removeprefix("/config/")
            ).is_file()
    ports = [port for service in COMPOSE.values() for port in service["ports"]]
    assert len(ports) == 4 and all(port.startswith("127.0.0.1:") for port in ports)


def test_the_services_are_written_as_the_compose_specification_asks():
    for service in COMPOSE.values():
        assert set(service) <= SERVICE_KEYS
        assert ("build" in service) != ("image" in service)
        assert re.fullmatch(r"\d+s", service["stop_grace_period"])
        assert re.fullmatch(r"\d+[kmg]", service["mem_limit"])
        assert all(isinstance(word, str) for word in service["command"])
        for port in service["ports"]:  # text, since YAML takes 22:22 for a number
            assert re.fullmatch(r"127\.0\.0\.1:(\d{4}):\1", port)
        for volume in service.get("volumes", ()):
            assert re.fullmatch(r"\.{1,2}/\w+:/\w+:ro", volume)


def test_the_grace_is_longer_than_the_server_takes_to_stop():
    ours = COMPOSE["restorer"]
    values = dict(a[2:].split("=") for a in ours["command"])
    assert int(ours["stop_grace_period"].removesuffix("s")) > 2 * int(values["timeout"])


def test_tensorflow_serving_reads_its_models():
    from tensorflow_serving.config import model_server_config_pb2

    text = (SERVING / "tensorflow_serving" / "models.config").read_text()
    message = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(text, message)
    (model,) = message.model_config_list.config
    assert model.base_path == f"/models/{model.name}" and model.name == "kpac_3level"
    assert model.model_version_policy.latest.num_versions == 1


def test_the_other_settings_are_those_that_tensorflow_serving_documents():
    text = (SERVING / "tensorflow_serving" / "batching.config").read_text()
    fields = re.findall(r"^(\w+) \{ value: \d+ \}$", text, re.MULTILINE)
    assert set(fields) == BATCHING and len(fields) == len(BATCHING)
    assert re.findall(r"^(\w+): (\w+)$", text, re.MULTILINE) == [
        ("pad_variable_length_inputs", "false")
    ]
    text = (SERVING / "tensorflow_serving" / "monitoring.config").read_text()
    assert re.search(
        r'prometheus_config \{\s+enable: true\s+path: "/[\w/]+"\s+\}', text
    )
