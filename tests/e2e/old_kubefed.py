"""A control plane as KubeFed v0.9.2 left it: the golden files of upgrade/ in two clusters of a test's own.

A cluster-scoped control plane with types that everybody uses cannot share its clusters with the tests' main one, and its definitions
are old ones. Hence a lab of two: cluster1 is the host, and a member of itself, as in KubeFed's own documents; cluster2 a member.
"""
import base64
import copy
import os
import re
import subprocess
import time
import urllib.request

import charts
from harness import SYSTEM, ControlPlane, Env, eventually, expect, k, settle, show

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "upgrade")
CLUSTERS = ("cluster1", "cluster2")
RSP = "scheduling.kubefed.io/v1alpha1/replicaschedulingpreferences"
FSS = "core.kubefed.io/v1alpha1/federatedservicestatuses"
NO_STATUS = {"KubeFedConfig", "ReplicaSchedulingPreference", "FederatedServiceStatus"}
UNNAMESPACED = {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "ClusterPropagatedVersion",
                "FederatedClusterRole"}
COUNT = re.compile(r'^kubefed_objects\{kind="(\w+)",state="(\w+)"\} (\d+)$', re.M)
# Target type -> its federated one.
TYPES = {"v1/namespaces": k.FED + "namespaces", "v1/configmaps": k.FED + "configmaps", "apps/v1/deployments": k.FED + "deployments",
         "v1/services": k.FED + "services", "v1/serviceaccounts": k.FED + "serviceaccounts", "example.com/v1/widgets": k.FED + "widgets",
         "rbac.authorization.k8s.io/v1/clusterroles": k.FED + "clusterroles"}


class OldEnv(Env):
    """The clusters of one such control plane; its logs are those of the run."""

    def __init__(self, t):
        name = t.unique("old-kubefed")
        super().__init__(t.env.bin, os.path.join(t.env.folder, name))
        self.logs = os.path.join(t.env.logs, name)
        os.makedirs(self.logs)
        self.secrets = t.env.secrets

    def up(self):
        self.lab("up", "--names", ",".join(CLUSTERS), "--watch-pid", str(os.getpid()))
        self.apis = k.load(self.kubeconfig)
        for api in self.apis.values():
            api.timeout = 120       # after a change of many definitions an API server computes for a while
        self.apis["host"] = self.apis["cluster1"]

    def kubectl(self, *arguments, stdin=""):
        result = subprocess.run(["kubectl", "--kubeconfig", self.kubeconfig, "--context", "cluster1", *arguments], input=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stdout}"
        return result.stdout


# ---- definitions as they were

def old_definition(crd):
    """A definition of ours without what KubeFed's does not have (api-and-cli.md 1.3 to 1.8)."""
    crd = copy.deepcopy(crd)
    version = crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    plural = crd["spec"]["names"]["plural"]
    if plural == "kubefedclusters":
        del schema["properties"]["status"]["properties"]["resources"]
    elif plural == "replicaschedulingpreferences":
        del version["additionalPrinterColumns"], version["subresources"]
        for field in ("strategy", "rebalanceTolerance", "failover"):
            del schema["properties"]["spec"]["properties"][field]
        schema["properties"]["status"] = {"type": "object"}
    elif plural == "federatedservicestatuses":
        schema["properties"]["clusterStatus"]["items"]["required"] = ["clusterName", "status"]
    without_words(schema)
    return crd


def without_words(schema):
    """Without descriptions and "nullable"; a property that is called so stays."""
    schema.pop("description", None)
    schema.pop("nullable", None)
    for child in schema.get("properties", {}).values():
        without_words(child)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            without_words(schema[key])


def own_definitions():
    """{plural: definition} of KubeFed's own kinds, in the old form."""
    folder = os.path.join(charts.TOP, "deploy", "crds")
    found = [read_yaml(os.path.join(folder, name))[0] for name in sorted(os.listdir(folder)) if name.endswith(".yaml")]
    return {crd["spec"]["names"]["plural"]: old_definition(crd) for crd in found}


def federated_definitions():
    """{plural: definition} of the federated types in the golden files; those of the chart have not changed."""
    folder = os.path.join(charts.TOP, "deploy", "chart", "kubefed", "crds")
    wanted = [os.path.join(folder, f"{fed.rsplit('/', 1)[1]}.types.kubefed.io.yaml") for fed in TYPES.values()]
    return {crd["spec"]["names"]["plural"]: crd for path in wanted if os.path.exists(path) for crd in read_yaml(path)}


def read_yaml(path, change=lambda text: text):
    with open(path, encoding="utf-8") as f:
        return [obj for obj in charts.load(change(f.read())) if obj]


def resource_of(obj):
    kind = obj["kind"]
    if kind == "ClusterPropagatedVersion":
        return k.CPV
    plurals = {v: key for key, v in k.KINDS.items()}
    return f"{obj['apiVersion']}/{plurals.get(kind) or kind.lower() + 's'}"


def create(api, obj):
    """An object with its status, whatever it takes."""
    resource, namespace = resource_of(obj), obj["metadata"].get("namespace")
    if obj["kind"] in UNNAMESPACED:
        namespace = None
    made = api.create(resource, namespace, {key: v for key, v in obj.items() if key != "status"})
    if "status" in obj and obj["kind"] not in NO_STATUS:
        made = api.replace(resource, namespace, {**made, "status": obj["status"]}, "status")
    return made


# ---- the control plane

class OldKubeFed:
    """The clusters with all that is in upgrade/. `plane` starts and stops our controller manager on it."""

    def __init__(self, t):
        self.t, self.env = t, OldEnv(t)
        t.cleanup(self.env.down)
        self.env.up()
        self.clusters = {c: self.env.apis[c] for c in CLUSTERS}
        self.host = self.env.host
        self.plane = ControlPlane(self.env, SYSTEM)
        t._planes.append(self.plane)
        t.cleanup(lambda: self.plane.controller and self.plane.controller.close())
        self.definitions = {**own_definitions(), **federated_definitions()}
        self._define()
        self._join()
        self._fill()
        self.come_to_rest()

    def come_to_rest(self):
        """Until Kubernetes has done what follows from new objects: tokens of accounts, aggregated roles, states of definitions."""
        def have_tokens():
            for account in self.host.list(k.SERVICEACCOUNTS, SYSTEM):
                self.host.get(k.SECRETS, SYSTEM, account["secrets"][0]["name"])
        eventually(have_tokens)
        settle(self.clusters.values(), 1.5)

    def _define(self):
        widgets, federated_widgets = read_yaml(os.path.join(GOLDEN, "definitions.yaml"))
        self.definitions["federatedwidgets"] = federated_widgets
        for crd in self.definitions.values():
            self.host.call("POST", k.path_of(k.CRDS) + "?fieldManager=helm", crd)
        for api in self.clusters.values():
            api.create(k.CRDS, None, widgets)

    def _join(self):
        for cluster, api in self.clusters.items():
            api.create(k.NAMESPACES, None, {"metadata": {"name": SYSTEM}})
            for obj in read_yaml(os.path.join(GOLDEN, "member.yaml"), lambda text, c=cluster: text.replace("${cluster}", c)):
                create(api, obj)
        self.host.create(k.NAMESPACES, None, {"metadata": {"name": "plain"}})

    def _fill(self):
        def served():
            for api in self.clusters.values():
                api.list("example.com/v1/widgets")
            for fed in TYPES.values():
                self.host.list(fed)
            for resource in (k.KFC, k.KFCONFIG, k.FTC, k.PV, k.CPV, RSP, FSS):
                self.host.list(resource)
        eventually(served)
        for cluster in CLUSTERS:
            self.put(cluster + ".yaml", self.clusters[cluster])
        self._wait_for_others()
        for name in ("host.yaml", "federated.yaml"):
            self.put(name, self.host)

    def _wait_for_others(self):
        """What the clusters' own controllers do to the objects comes before what KubeFed recorded last."""
        for api in self.clusters.values():
            eventually(lambda a=api: a.get(k.SERVICEACCOUNTS, "shop", "robot")["secrets"][0])
            for name in ("web", "local"):
                eventually(lambda a=api, n=name: expect(
                    a.get(k.DEPLOYMENTS, "shop", n)["status"]["replicas"], a.get(k.DEPLOYMENTS, "shop", n)["spec"]["replicas"], n))
        settle(self.clusters.values(), 1)

    def put(self, name, api, **known):
        with open(os.path.join(GOLDEN, name), encoding="utf-8") as f:
            for text in f.read().split("\n---\n"):
                for obj in charts.load(self.filled(text, known)):
                    create(api, obj)

    def filled(self, text, known):
        return re.sub(r"\$\{([^}]*)\}", lambda m: known.get(m[1]) or self._fact(*m[1].split()), text)

    def _fact(self, what, *where):
        if what == "now":
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if what == "uid":
            resource, namespace, name = where
            return self.host.get(resource, none_of(namespace), name)["metadata"]["uid"]
        if what == "rv":
            cluster, resource, namespace, name = where
            return self.clusters[cluster].get(resource, none_of(namespace), name)["metadata"]["resourceVersion"]
        if what == "endpoint":
            return self.env.entry(where[0])[0]
        if what == "ca":
            return self.env.entry(where[0])[1]
        if what == "version":
            return self.clusters[where[0]].call("GET", "/version")["gitVersion"]
        if what == "token":
            return self._token(where[0])
        raise ValueError(f"unknown placeholder {what}")

    def _token(self, cluster):
        """As base64: that of the Secret of the account that join made, where clusters still make one."""
        api = self.clusters[cluster]

        def token():
            account = api.get(k.SERVICEACCOUNTS, SYSTEM, f"{cluster}-cluster1")
            return api.get(k.SECRETS, SYSTEM, account["secrets"][0]["name"])["data"]["token"]
        text = eventually(token)
        self.env.secrets.add(base64.b64decode(text).decode())
        return text

    # -- rights

    def old_rights(self):
        """The path of a kubeconfig with the rights of KubeFed's chart, and no others."""
        self.put("rights-cluster.yaml", self.host, namespace=SYSTEM)
        self.come_to_rest()
        return self.account()

    def account(self):
        return charts.account_kubeconfig(self.env, SYSTEM, "kubefed-controller", "kubefed-controller")

    # -- ours

    def start(self, kubeconfig):
        return self.plane.start(("--kubeconfig", kubeconfig, "--v", "2"))

    def federated(self):
        """{(federated type, namespace, name): object}"""
        return {(fed, o["metadata"].get("namespace"), o["metadata"]["name"]): o for fed in TYPES.values() for o in self.host.list(fed)}

    def metrics(self):
        port = self.plane.controller.log().split("Serving metrics on port ")[1].split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            return answer.read().decode()

    def wait_for_first_look(self):
        """Until it leads and has looked at every object at least once."""
        self.plane.controller.wait_log("promoted as leader")
        wanted = {}
        for fed, _, _ in self.federated():
            wanted[fed] = wanted.get(fed, 0) + 1

        def looked():
            text, log = self.metrics(), self.plane.controller.log()
            count = {(kind, state): int(n) for kind, state, n in COUNT.findall(text)}
            for obj in self.federated().values():
                assert f'Started sync controller for "{obj["kind"]}"' in log, f"{obj['kind']} is not looked at"
                expect((count[obj["kind"], "queued"], count[obj["kind"], "active"]), (0, 0), f"{obj['kind']}s waiting, under way")
            for fed, n in wanted.items():
                kind = next(o["kind"] for key, o in self.federated().items() if key[0] == fed)
                expect(count[kind, "all"], n, f"{kind}s known")
        eventually(looked)

    def snapshot(self):
        """{text: resourceVersion} of everything that nobody had a reason to write."""
        out = {}
        for resource in (k.FTC, k.KFCONFIG, k.PV, k.CPV, FSS, k.SECRETS, k.CRDS, *TYPES.values()):
            for o in self.host.list(resource):
                out[f"cluster1 {label(resource, o)}"] = o["metadata"]["resourceVersion"]
        for cluster, api in self.clusters.items():
            for resource in TYPES:
                for o in api.list(resource):
                    if o["metadata"]["name"] not in ("kubefed-controller-manager", "kubefed-pending-removals"):
                        out[f"{cluster} {label(resource, o)}"] = o["metadata"]["resourceVersion"]
        return out

    def record(self):
        """The record in the lock, as client-go reads it."""
        lock = self.host.get(k.CONFIGMAPS, SYSTEM, "kubefed-controller-manager")
        return lock["metadata"]["annotations"]["control-plane.alpha.kubernetes.io/leader"]

    def check_log(self, forbidden_allowed=()):
        """Nothing was refused that is not allowed to be, and no complaint came again and again."""
        seen = {}
        for line in self.plane.controller.log().splitlines():
            found = re.match(r"[WEF]\d{4} \S+\s+\d+ [^\]]*\] (.*)", line)
            if not found:
                continue
            text = re.sub(r"\d+", "N", found[1])
            seen[text] = seen.get(text, 0) + 1
            if re.search(r"(?i)forbidden|\b403\b", line):
                assert any(word in line for word in forbidden_allowed), f"refused: {line}"
        often = {text: n for text, n in seen.items() if n > 3}
        assert not often, f"complaints without end: {show(often)}"


def label(resource, obj):
    return f"{resource} {obj['metadata'].get('namespace', '-')}/{obj['metadata']['name']}"


def none_of(text):
    return None if text == "-" else text
