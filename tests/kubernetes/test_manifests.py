"""deploy/kubernetes, rendered by kubectl: the schemas take it, mintd takes its settings, and the parts fit.

    tests/check_kubernetes     # installs what is missing, and runs this
"""
import base64
import os
import re
import subprocess

import pytest
import yaml

from support.mintd import REPOSITORY, run
from support.timing import scaled
from support.tls import Certificate

FOLDER = os.path.join(REPOSITORY, "deploy", "kubernetes")
OVERLAYS = ("base", "overlays/sentinel", "overlays/cluster", "overlays/cert-manager")
VALIDATE = os.path.join(REPOSITORY, "tests", "kubernetes", "node", "validate.js")


def render(folder):
    done = subprocess.run(["kubectl", "kustomize", os.path.join(FOLDER, folder)], capture_output=True, text=True,
                          check=False, timeout=scaled(60))
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def validate(text):
    return subprocess.run(["node", VALIDATE], input=text, capture_output=True, text=True, check=False,
                          timeout=scaled(120))


class Rendered:
    def __init__(self, folder):
        self.folder, self.text = folder, render(folder)
        self.objects = list(yaml.safe_load_all(self.text))

    def of(self, kind, name=None):
        found = [one for one in self.objects if one["kind"] == kind and name in (None, one["metadata"]["name"])]
        assert len(found) == 1, (kind, name)
        return found[0]

    @property
    def pod(self):
        return self.of("Deployment")["spec"]["template"]

    @property
    def container(self):
        assert len(self.pod["spec"]["containers"]) == 1
        return self.pod["spec"]["containers"][0]

    @property
    def ports(self):
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}

    @property
    def settings(self):
        """What the container has in its environment; a field of the pod is its name."""
        told = dict(self.of("ConfigMap")["data"])
        for variable in self.container["env"]:
            told[variable["name"]] = variable.get("value", "mintd-7d9f-x2x4q")
        return told


@pytest.fixture(scope="module", params=OVERLAYS, ids=os.path.basename)
def rendered(request):
    return Rendered(request.param)


def test_the_schemas_take_it(rendered):
    done = validate(rendered.text)
    assert done.returncode == 0 and done.stdout == "%d objects\n" % len(rendered.objects), done.stderr


@pytest.mark.parametrize("right, wrong", [
    pytest.param("readOnlyRootFilesystem:", "readOnlyRootFs:", id="member"),
    pytest.param("failureThreshold: 2", "failureThreshold: two", id="value"),
    pytest.param("    spec:\n      automount", "    spek:\n      automount", id="missing")])
def test_the_check_can_fail(right, wrong):
    text = render("overlays/cluster")
    assert right in text
    done = validate(text.replace(right, wrong))
    assert done.returncode == 1 and done.stderr, done


def secret_files(rendered, folder):
    """{path in the container: a file here with what stands there}"""
    certificate = Certificate(folder, "some")
    files = {"/run/redis-ca/ca.crt": certificate.file, "/run/tls/tls.crt": certificate.file,
             "/run/tls/tls.key": certificate.key}
    for name, text in rendered.of("Secret")["data"].items():
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(base64.b64decode(text))
        files["/run/secrets/mintd/" + name] = path
    return files


def test_mintd_takes_the_settings(rendered, tmp_path):
    """Each variable is known, each value is right; nothing is warned of."""
    files = secret_files(rendered, str(tmp_path))
    settings = {name: files.get(value, value) for name, value in rendered.settings.items()}
    done = run("--check", env=settings)
    assert done.returncode == 0 and not done.stderr, done.stderr
    scheme = {"base": "redis", "overlays/sentinel": "rediss+sentinel", "overlays/cluster": "rediss+cluster",
              "overlays/cert-manager": "redis"}[rendered.folder]
    with open(files["/run/secrets/mintd/redis-url"], encoding="utf-8") as url:
        assert url.read().startswith(scheme + "://")


def test_a_misspelt_setting_is_found():
    done = run("--check", env={"MINTD_READYNESS": "serving"})
    assert "MINTD_READYNESS" in done.stderr


def test_files_are_mounted_where_the_settings_look(rendered):
    mounts = {mount["mountPath"]: mount["name"] for mount in rendered.container["volumeMounts"]}
    volumes = {volume["name"] for volume in rendered.pod["spec"]["volumes"]}
    assert set(mounts.values()) == volumes
    for name, value in rendered.settings.items():
        if value.startswith("/"):
            assert os.path.dirname(value) in mounts, name
    keys = rendered.of("Secret")["data"].keys()
    for value in rendered.settings.values():
        if value.startswith("/run/secrets/mintd/"):
            assert os.path.basename(value) in keys


def test_ports_are_those_that_mintd_listens_on(rendered):
    settings = rendered.settings
    assert rendered.ports == {"http": int(settings["MINTD_LISTEN"].rpartition(":")[2]),
                              "operations": int(settings["MINTD_METRICS_LISTEN"].rpartition(":")[2])}
    for service in (rendered.of("Service", "mintd"), rendered.of("Service", "mintd-operations")):
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in rendered.ports
    assert rendered.of("Service", "mintd-operations")["spec"]["ports"][0]["port"] == rendered.ports["operations"]


def test_probes_ask_the_operations_listener(rendered):
    """In plain HTTP, also where clients have to speak TLS; and readiness keeps the Service alive."""
    probes = {name: rendered.container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")}
    assert probes == {"readinessProbe": {"path": "/readyz", "port": "operations"},
                      "livenessProbe": {"path": "/healthz", "port": "operations"}}
    assert rendered.settings["MINTD_READINESS"] == "serving"


def test_there_is_time_for_the_end(rendered):
    """The balancer hears of it within the delay, and the drain fits behind it."""
    delay = int(rendered.settings["MINTD_DRAIN_DELAY"])
    probe = rendered.container["readinessProbe"]
    assert delay > probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert rendered.pod["spec"]["terminationGracePeriodSeconds"] >= delay + 10


def test_selectors_find_the_pods(rendered):
    labels = rendered.pod["metadata"]["labels"].items()
    selectors = [one["spec"]["selector"] for one in rendered.objects if one["kind"] == "Service"]
    selectors += [rendered.of("Deployment")["spec"]["selector"]["matchLabels"],
                  rendered.of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
                  rendered.of("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]]
    selectors += [one["labelSelector"]["matchLabels"] for one in rendered.pod["spec"]["topologySpreadConstraints"]]
    for selector in selectors:
        assert selector and selector.items() <= labels
    assert rendered.of("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == "mintd"


def test_the_monitor_finds_the_operations_service(rendered):
    if rendered.folder == "base":
        assert "ServiceMonitor" not in rendered.text
        return
    monitor = rendered.of("ServiceMonitor")["spec"]
    services = [one for one in rendered.objects if one["kind"] == "Service"
                and monitor["selector"]["matchLabels"].items() <= one["metadata"]["labels"].items()]
    assert [one["metadata"]["name"] for one in services] == ["mintd-operations"]
    assert monitor["endpoints"][0]["port"] in {port["name"] for port in services[0]["spec"]["ports"]}


def test_the_pods_are_restricted(rendered):
    """The Pod Security Standard of this name."""
    pod, container = rendered.pod["spec"], rendered.container
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                            "capabilities": {"drop": ["ALL"]}}
    assert not pod["automountServiceAccountToken"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("secret" in volume for volume in pod["volumes"])


def test_the_policy_lets_them_reach_redis(rendered):
    policy = rendered.of("NetworkPolicy")["spec"]
    allowed = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert allowed == {53, 6379} | ({26379} if rendered.folder.endswith("sentinel") else set())
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == set(rendered.ports)


def test_no_image_of_ours_is_in_a_registry(rendered):
    assert re.fullmatch(r"mintd(:\S+)?", rendered.container["image"])
