"""The files for KubeRay: the fields that they use, what they run, and that both parts agree.

The schema holds the fields of `ray.io/v1` and of Kubernetes that these files use, and no others: a
misspelt one, which a cluster would drop or refuse, fails here.
"""

import copy
import re
import shlex

import jsonschema
import pytest
import yaml

from tests.conftest import ROOT
from train.run import parse_arguments

FILES = {path.stem: path for path in (ROOT / "docs" / "kuberay").glob("*.yaml")}
TEXT, WHOLE = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
AMOUNT = {"type": "string", "pattern": r"^[0-9.]+(m|[KMGT]i?)?$"}


def record(required=(), **fields):
    return {
        "type": "object", "properties": fields, "required": list(required),
        "additionalProperties": False,
    }  # fmt: skip


def some(kind):
    return {"type": "array", "items": kind, "minItems": 1}


def pairs(value):
    return {"type": "object", "additionalProperties": value}


AMOUNTS = record(cpu=AMOUNT, memory=AMOUNT, **{"nvidia.com/gpu": AMOUNT})
CONTAINER = record(
    ["name", "image", "resources"],
    name=NAME,
    image=TEXT,
    ports=some(record(["containerPort"], containerPort=WHOLE, name={**NAME, "maxLength": 15})),
    resources=record(["requests", "limits"], requests=AMOUNTS, limits=AMOUNTS),
    volumeMounts=some(record(["name", "mountPath"], name=NAME, mountPath=TEXT)),
)
VOLUME = record(
    ["name"],
    name=NAME,
    persistentVolumeClaim=record(["claimName"], claimName=NAME),
    emptyDir=record(medium={"enum": ["", "Memory"]}, sizeLimit=AMOUNT),
)
POD = record(
    ["spec"], spec=record(["containers"], containers=some(CONTAINER), volumes=some(VOLUME))
)
HEAD = {"rayStartParams": pairs(TEXT), "template": POD}
CLUSTER = record(
    ["rayVersion", "headGroupSpec"],
    rayVersion=TEXT,
    enableInTreeAutoscaling={"type": "boolean"},
    headGroupSpec=record(list(HEAD), **HEAD),
    workerGroupSpecs=some(
        record(
            ["groupName", "minReplicas", "maxReplicas", *HEAD],
            groupName=NAME,
            replicas=WHOLE,
            minReplicas=WHOLE,
            maxReplicas=WHOLE,
            **HEAD,
        )  # fmt: skip
    ),
)
SPECS = {
    "RayService": record(
        ["serveConfigV2", "rayClusterConfig"], serveConfigV2=TEXT, rayClusterConfig=CLUSTER
    ),
    "RayJob": record(
        ["entrypoint", "rayClusterSpec"],
        entrypoint=TEXT,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=WHOLE,
        backoffLimit=WHOLE,
        rayClusterSpec=CLUSTER,
    ),
}


def check(read):
    schema = record(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": "ray.io/v1"},
        kind={"enum": list(SPECS)},
        metadata={**record(name=NAME, generateName=TEXT), "minProperties": 1},
        spec=SPECS[read["kind"]],
    )
    jsonschema.validate(read, schema)


def read(name):
    return yaml.safe_load(FILES[name].read_text())


def cluster(found):
    return found["spec"].get("rayClusterConfig") or found["spec"]["rayClusterSpec"]


@pytest.mark.parametrize("name", ["serve", "train"])
def test_fields_are_those_of_kuberay(name):
    assert set(FILES) == {"serve", "train"}
    found = read(name)
    check(found)
    pinned = re.search(r"^ray\[.*\]==(.*)$", (ROOT / "requirements-ray.txt").read_text(), re.M)[1]
    assert cluster(found)["rayVersion"] == pinned
    misspelt = copy.deepcopy(found)
    cluster(misspelt)["workerGroupSpecs"][0]["maxReplica"] = 3
    with pytest.raises(jsonschema.ValidationError, match="maxReplica"):
        check(misspelt)


@pytest.mark.parametrize("name", ["serve", "train"])
def test_what_is_mounted_is_there(name):
    found = cluster(read(name))
    for group in (found["headGroupSpec"], *found["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        mounted = {m["name"] for c in pod["containers"] for m in c.get("volumeMounts", [])}
        assert mounted == {volume["name"] for volume in pod.get("volumes", [])}


def test_the_training_can_begin_and_has_its_gpus():
    found = read("train")
    words = shlex.split(found["spec"]["entrypoint"])
    assert words[:3] == ["python", "-m", "train.run"]
    config, _, _, workers, _ = parse_arguments(words[3:])
    (group,) = cluster(found)["workerGroupSpecs"]
    gpus = int(group["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"])
    assert workers == gpus * group["replicas"] and config.batch % workers == 0


def test_the_app_is_what_serve_and_the_app_expect():
    schema = pytest.importorskip("ray.serve.schema", reason="needs Ray")
    from hyperdemo.serve import Serving, application

    found = read("serve")
    config = yaml.safe_load(found["spec"]["serveConfigV2"])
    (app,) = schema.ServeDeploySchema.model_validate(config).applications
    assert app.import_path == f"{application.__module__.rpartition('.')[0]}:application"
    serving = Serving.from_dict(app.args)
    (group,) = cluster(found)["workerGroupSpecs"]
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert serving.max_replicas <= group["maxReplicas"]
    assert serving.gpus <= int(limits["nvidia.com/gpu"]) and serving.cpus <= int(limits["cpu"])
