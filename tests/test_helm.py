"""The Helm chart: it renders, is linted, and what it renders is what Kubernetes takes and the plain manifests are."""

from __future__ import annotations

import dataclasses
import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from eclair.cli._arguments import parse
from eclair.schema.jobs import WORK_KINDS
from eclair.settings import EngineSettings, Settings
from eclair.storage.postgres.database import MAX_CONNECTIONS

ROOT = Path(__file__).parent.parent
CHART = ROOT / "deploy" / "helm" / "eclair"
KUBERNETES = "1.34"
JSON = dict[str, Any]

ALL: JSON = {
    "replicas": 3,
    "sharedStorage": True,
    "publicUrl": "https://ai.example.org/assistant",
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a/b": "c"}},
    "secretKey": "eclair-key",
    "secretEnvironment": "eclair-env",
    "image": {"repository": "r/eclair", "pullSecrets": ["pull"]},
    "networkPolicy": {"from": [{"podSelector": {}}], "to": [{"to": [{"podSelector": {}}]}]},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "k", "operator": "Exists"}],
    "podAnnotations": {"x/y": "z"},
    "persistence": {"storageClass": "fast"},
    "worker": {"replicas": 2, "kinds": ["read", "embed"], "atOnce": 4},
    "extraVolumes": [
        {"name": "backups", "persistentVolumeClaim": {"claimName": "backups"}},
        {"name": "certificate", "secret": {"secretName": "eclair-marks", "defaultMode": 0o440}},
    ],
    "extraVolumeMounts": [
        {"name": "backups", "mountPath": "/mnt/backups"},
        {"name": "certificate", "mountPath": "/run/secrets/marks", "readOnly": True},
    ],
    "serviceAccountName": "eclair",
}
OUTSIDE: JSON = {
    "replicas": 3,
    "secretEnvironment": "eclair-env",
    "secretKey": "eclair-key",
    "settings": {"blobs_url": "s3://eclair/files", "blobs_endpoint": "https://s3.example.eu"},
    "worker": {"replicas": 2},
}
"""With the database and the files outside the cluster."""


def validate(manifest: JSON) -> None:
    """Raise if Kubernetes wouldn't take a manifest, or doesn't know a field of it."""
    importlib.import_module("kubernetes_validate").validate(manifest, KUBERNETES, strict=True)


def render_texts(values: JSON | None = None, name: str = "eclair") -> dict[str, str]:
    """Return what the chart renders, by path."""
    import helm_python

    chart = helm_python.Chart.load(str(CHART))
    try:
        return chart.render(values, name=name, namespace="eclair")
    finally:
        chart.close()


def notes(values: JSON | None) -> str:
    """Return what Helm says after an installation."""
    return next(text for path, text in render_texts(values).items() if path.endswith("NOTES.txt"))


def render(values: JSON | None = None, name: str = "eclair") -> dict[str, JSON]:
    """Return what the chart renders, by kind, that of workers apart."""
    texts = render_texts(values, name)
    objects = [
        each for path, text in sorted(texts.items()) if path.endswith(".yaml") for each in yaml.safe_load_all(text)
    ]
    workers = f"{name}-worker"
    return {
        each["kind"] + (" of workers" if each["metadata"]["name"] == workers else ""): each for each in objects if each
    }


@pytest.mark.parametrize("values", [None, ALL, OUTSIDE], ids=["plain", "all", "outside"])
def test_kubernetes_takes_what_it_renders(values: JSON | None) -> None:
    rendered = render(values)
    assert {"Deployment", "Service", "ConfigMap", "NetworkPolicy"} <= rendered.keys()
    assert ("Ingress" in rendered, "PodDisruptionBudget" in rendered) == (values is ALL, values is not None)
    assert ("PersistentVolumeClaim" in rendered) == (values is not OUTSIDE)
    assert ("Deployment of workers" in rendered) == (values is not None)
    for each in rendered.values():
        validate(each)


def test_workers_have_the_rights_of_servers_and_do_what_those_leave() -> None:
    rendered = render(OUTSIDE)
    server, worker = rendered["Deployment"]["spec"]["template"], rendered["Deployment of workers"]["spec"]["template"]
    (serving,), (working,) = server["spec"]["containers"], worker["spec"]["containers"]
    for name in ("image", "securityContext", "env", "envFrom", "volumeMounts"):
        assert working[name] == serving[name]
    assert {"name": "ECLAIR_BACKGROUND_WORK", "value": "workers"} in serving["env"]
    parsed = parse([*working["command"][1:], *working["args"]])
    assert (parsed.module, parsed.kinds, parsed.at_once) == ("worker", ",".join(WORK_KINDS), 2)
    assert parsed.metrics_port == working["ports"][0]["containerPort"]
    assert not rendered["Service"]["spec"]["selector"].items() <= worker["metadata"]["labels"].items()
    for pod in (server, worker):
        assert {"name": "data", "emptyDir": {}} in pod["spec"]["volumes"]
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    assert values["worker"]["kinds"] == [*WORK_KINDS]


def test_volumes_and_an_identity_of_ones_own_are_those_of_all_pods() -> None:
    rendered, plain = render(ALL), render(OUTSIDE)
    for name in ("Deployment", "Deployment of workers"):
        pod = rendered[name]["spec"]["template"]["spec"]
        assert pod["volumes"][-2:] == ALL["extraVolumes"]
        assert pod["containers"][0]["volumeMounts"][-2:] == ALL["extraVolumeMounts"]
        assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("eclair", False)
        assert "serviceAccountName" not in plain[name]["spec"]["template"]["spec"]


def test_a_server_goes_on_until_no_proxy_sends_it_anything() -> None:
    pod = render(ALL)["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    program, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    drain = next(each["value"] for each in container["env"] if each["name"] == "ECLAIR_DRAIN_SECONDS")
    assert (program, int(seconds) + int(drain) < pod["terminationGracePeriodSeconds"]) == ("sleep", True)


def test_it_is_linted() -> None:
    import helm_python

    found = str(helm_python.lint(str(CHART)))
    assert "ERROR" not in found


def test_a_pod_has_no_rights_and_its_settings_are_read() -> None:
    rendered = render({"settings": {"cache_scope": "person", "engines": {"rack": {"url": "http://vllm:8000/v1"}}}})
    pod = rendered["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    settings = tomllib.loads(rendered["ConfigMap"]["data"]["eclair.toml"])
    assert settings["engines"]["rack"]["url"] == "http://vllm:8000/v1"
    drain = next(each["value"] for each in container["env"] if each["name"] == "ECLAIR_DRAIN_SECONDS")
    assert int(drain) < pod["terminationGracePeriodSeconds"]
    assert container["livenessProbe"]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "ai.example.org"}]


def test_alerts_find_servers_and_workers_of_any_release() -> None:
    rendered = render({**OUTSIDE, "serviceMonitor": {"enabled": True}}, name="house")
    named = set(re.findall(r'job="([^"]+)"', (ROOT / "deploy" / "alerts.yml").read_text("utf-8")))
    workers = next(each for kind, each in rendered.items() if kind.startswith("PodMonitor"))
    for endpoints in (rendered["ServiceMonitor"]["spec"]["endpoints"], workers["spec"]["podMetricsEndpoints"]):
        (endpoint,) = endpoints
        assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": job} for job in named]


def test_every_variable_is_a_setting() -> None:
    known = {f"ECLAIR_{field.name.upper()}" for field in dataclasses.fields(Settings)} | {"ECLAIR_CONFIG"}
    texts = [path.read_text("utf-8") for path in [*CHART.rglob("*.yaml"), *(ROOT / "deploy" / "kubernetes").iterdir()]]
    used = set(re.findall(r"\bECLAIR_[A-Z_]+", "\n".join(texts)))
    assert used - known == set()
    defaults = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))["settings"]
    assert set(defaults) <= {field.name for field in dataclasses.fields(Settings)}


def test_proxies_that_name_clients_are_a_setting_and_missed_in_the_notes() -> None:
    warning = "name the network of the proxy's pods in `settings.trusted_proxies`"
    assert warning in notes(None)
    values: JSON = {"settings": {"trusted_proxies": ["10.244.0.0/16"]}}
    assert warning not in notes(values)
    settings = tomllib.loads(render(values)["ConfigMap"]["data"]["eclair.toml"])
    assert settings["trusted_proxies"] == ["10.244.0.0/16"]


@pytest.mark.parametrize(
    ("values", "pods", "each"),
    [
        (OUTSIDE, 3 + 1 + 2 + 1, MAX_CONNECTIONS),
        ({**OUTSIDE, "replicas": 1, "worker": {"replicas": 8}}, 1 + 8 + 2, MAX_CONNECTIONS),
        ({**ALL, "settings": {"database_connections": 9}}, 3 + 1 + 2 + 1, 9),
    ],
)
def test_notes_say_how_many_connections_pods_take_while_they_are_replaced(values: JSON, pods: int, each: int) -> None:
    needed = pods * each + 4
    assert f"`max_connections` of {needed} or more" in notes(values)
    assert "max_connections" not in notes(None)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"replicas": 2}, "sharedStorage"),
        ({"worker": {"replicas": 1}}, "settings.blobs_url"),
        ({"worker": {"replicas": 1}, "sharedStorage": True}, "PostgreSQL"),
        ({**OUTSIDE, "secretKey": ""}, "secretKey"),
        ({**OUTSIDE, "worker": {"kinds": ["write"]}}, "kinds"),
        ({"replicas": "two"}, "replicas"),
        ({"publicUrl": "ai.example.org"}, "publicUrl"),
        ({"replica": 2}, "replica"),
        ({"extraVolumes": [{"emptyDir": None}]}, "name"),
        ({"extraVolumeMounts": [{"name": "backups", "mountPath": "backups"}]}, "mountPath"),
    ],
)
def test_what_cannot_work_is_refused_with_its_name(values: JSON, fault: str) -> None:
    import helm_python

    with pytest.raises(helm_python.HelmError, match=fault):
        render(values)


def test_the_plain_manifests_are_those_of_the_chart() -> None:
    path = ROOT / "deploy" / "kubernetes" / "eclair.yaml"
    there = {each["kind"]: each for each in yaml.safe_load_all(path.read_text("utf-8"))}
    assert there == render(), "render them again: python deploy/helm/render.py > deploy/kubernetes/eclair.yaml"


def test_kubernetes_takes_the_engines_of_llm_d() -> None:
    folder = ROOT / "deploy" / "llm-d"
    engines = list(yaml.safe_load_all((folder / "vllm.yaml").read_text("utf-8")))
    for each in engines:
        validate(each)
    labels = engines[0]["spec"]["template"]["metadata"]["labels"]
    servers = yaml.safe_load((folder / "pool-values.yaml").read_text("utf-8"))["router"]["modelServers"]
    assert servers["matchLabels"].items() <= labels.items()
    rendered = render(yaml.safe_load((folder / "eclair-values.yaml").read_text("utf-8")))
    settings = tomllib.loads(rendered["ConfigMap"]["data"]["eclair.toml"])
    assert parse_engines(settings["engines"])["cluster"].max_waiting == 500


def test_settings_for_vllm_are_read() -> None:
    found = tomllib.loads((ROOT / "deploy" / "vllm" / "eclair.toml").read_text("utf-8"))
    assert parse_engines(found["engines"])["vllm"].parallel == 32
    assert set(found) <= {field.name for field in dataclasses.fields(Settings)}


def parse_engines(found: JSON) -> dict[str, EngineSettings]:
    return TypeAdapter(dict[str, EngineSettings]).validate_python(found)
