"""The federated types of the soak test, and random templates, overrides, placements and drift for each of them.

Everything here is drawn from the random generator that the caller passes in, so that a seed gives the same again.
"""
import base64

import common  # noqa: F401 (makes the modules of tests/e2e importable)
from waiting import k

MEMBERS = ("member1", "member2", "member3")
MANAGED = "kubefed.io/managed"
TIERS, ZONES = ("core", "edge"), ("a", "b")
GADGET_GROUP = "soak.example.com"
GADGETS = f"{GADGET_GROUP}/v1/gadgets"
JOBS = "batch/v1/jobs"
CLUSTERROLES = "rbac.authorization.k8s.io/v1/clusterroles"
WORDS = ("en", "pl", "grüße €", "<&>", "a\nb\n", "", "9007199254740993", "\u2028", "true")


class Type:
    """A target type and its federated type."""

    def __init__(self, target, kind, namespaced=True):
        *group, _, self.plural = target.split("/")
        self.target, self.kind, self.namespaced = target, kind, namespaced
        self.fed = k.FED + self.plural
        self.ftc = ".".join([self.plural] + group)
        self.api_version = target.rsplit("/", 1)[0]
        self.fed_namespaced = namespaced or self.plural == "namespaces"
        self.pv = k.PV if self.fed_namespaced else k.CPV

    def where(self, namespace):
        """The namespace of the target object."""
        return namespace if self.namespaced else None


TYPES = {t.plural: t for t in (
    Type(k.NAMESPACES, "Namespace", namespaced=False),
    Type(k.CONFIGMAPS, "ConfigMap"),
    Type(k.SECRETS, "Secret"),
    Type(k.DEPLOYMENTS, "Deployment"),
    Type(JOBS, "Job"),
    Type(k.SERVICES, "Service"),
    Type(k.SERVICEACCOUNTS, "ServiceAccount"),
    Type(CLUSTERROLES, "ClusterRole", namespaced=False),
    Type(GADGETS, "Gadget"),
)}
CONTENT_TYPES = tuple(name for name in TYPES if name != "namespaces")


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def some(rng, chance):
    return rng.random() < chance


# ---- templates

def labels(rng):
    pool = {"app": rng.choice(("web", "db")), "team": rng.choice(("a", "b", "c")), "soak.example.com/x": "1"}
    return {key: pool[key] for key in sorted(pool) if some(rng, 0.5)}


def words(rng):
    return {f"k{n}": rng.choice(WORDS) for n in range(1, 5) if some(rng, 0.6)}


def _configmap(rng, _):
    out = {"data": words(rng)}
    if some(rng, 0.2):
        out["binaryData"] = {"bin": encoded(rng.choice(WORDS))}
    return out


def _secret(rng, _):
    return {"type": "Opaque", "data": {key: encoded(value) for key, value in words(rng).items()}}


def _deployment(rng, name):
    container = {"name": "c", "image": rng.choice(("nginx:1.25", "nginx:1.27", "redis:7"))}
    if some(rng, 0.5):
        container["env"] = [{"name": f"E{n}", "value": rng.choice(WORDS)} for n in range(rng.randint(1, 3))]
    spec = {"replicas": rng.randint(0, 2), "selector": {"matchLabels": {"soak": name}},
            "template": {"metadata": {"labels": {"soak": name}}, "spec": {"containers": [container]}}}
    if some(rng, 0.3):
        spec["minReadySeconds"] = rng.randint(1, 9)
    return {"spec": spec}


def _job(rng, name):
    """Only parallelism can be changed later."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "nginx:1.25"}]}
    return {"spec": {"parallelism": rng.randint(0, 2), "manualSelector": True,
                     "selector": {"matchLabels": {"soak": name}},
                     "template": {"metadata": {"labels": {"soak": name}}, "spec": pod}}}


def _service(rng, name):
    ports = []
    for number, port in enumerate(rng.sample((53, 80, 443, 8080), rng.randint(1, 3))):
        ports.append({"name": f"p{port}", "port": port})
        if some(rng, 0.5):
            ports[number]["protocol"] = "UDP" if port == 53 else "TCP"
    return {"spec": {"type": "NodePort" if name.endswith("a") else "ClusterIP", "ports": ports,
                     "selector": {"app": rng.choice(("web", "db"))}}}


def _serviceaccount(rng, _):
    return {"automountServiceAccountToken": some(rng, 0.5)} if some(rng, 0.7) else {}


def rule(rng):
    return {"apiGroups": [""], "resources": [rng.choice(("pods", "services"))],
            "verbs": rng.sample(("get", "list", "watch"), rng.randint(1, 3))}


def _clusterrole(rng, _):
    return {"rules": [rule(rng) for _ in range(rng.randint(1, 3))]}


def _gadget(rng, _):
    return {"spec": {"big": rng.choice((9007199254740993, -1, 0)), "half": rng.choice((1.5, 0.25)),
                     "flag": some(rng, 0.5), "list": [rng.randint(0, 9) for _ in range(rng.randint(1, 4))],
                     "deep": {"a": {"b": rng.choice(WORDS), "empty": {}}}}}


_BODIES = {"configmaps": _configmap, "secrets": _secret, "deployments": _deployment, "jobs": _job, "services": _service,
           "serviceaccounts": _serviceaccount, "clusterroles": _clusterrole, "gadgets": _gadget,
           "namespaces": lambda rng, name: {}}


def template(rng, type_name, name):
    out = _BODIES[type_name](rng, name)
    metadata = {}
    if some(rng, 0.6):
        metadata["labels"] = labels(rng)
    if some(rng, 0.1):
        metadata["annotations"] = {"template-annotation": "must not arrive"}
    if some(rng, 0.05):
        metadata["finalizers"] = ["soak.example.com/must-not-arrive"]
    if metadata:
        out["metadata"] = metadata
    return out


# ---- placement

def placement(rng, generous=False):
    """A random placement; a generous one selects most clusters. Rarely one that cannot be computed."""
    if some(rng, 0.02):
        return {"clusterSelector": rng.choice(({"matchExpressions": [{"key": "tier", "operator": "Foo"}]},
                                               {"matchLabels": {"tier": "not a value!"}}))}
    names = rng.sample(MEMBERS, rng.randint(2 if generous else 0, 3))
    if some(rng, 0.1):
        names.append("atlantis")
    listed = [{"name": name} for name in names]
    selector = rng.choice((
        {}, {"matchLabels": {"tier": rng.choice(TIERS)}},
        {"matchExpressions": [{"key": "tier", "operator": "In", "values": list(TIERS)}]},
        {"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": [rng.choice(ZONES)]}]},
        {"matchExpressions": [{"key": "tier", "operator": "Exists"}]},
        {"matchLabels": {"zone": rng.choice(ZONES)},
         "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}))
    kind = rng.choices(("names", "selector", "all", "both", "none"), (50, 25, 15, 7, 0 if generous else 3))[0]
    return {"names": {"clusters": listed}, "selector": {"clusterSelector": selector}, "all": {"clusterSelector": {}},
            "both": {"clusters": listed, "clusterSelector": selector}, "none": {}}[kind]


# ---- overrides

def _common_patches(rng, type_name, body):
    has = body.get("metadata", {}).get("labels")
    out = [{"op": "add", "path": "/metadata/labels", "value": {"over": rng.choice("xyz")}}]
    if has is not None:
        out += [{"path": "/metadata/labels/over", "value": rng.choice("xyz")},
                {"op": "add", "path": "/metadata/labels/soak.example.com~1over", "value": "1"}]
        out += [{"op": "remove", "path": "/metadata/labels/" + key} for key in sorted(has) if "/" not in key]
    if type_name not in ("deployments", "jobs", "namespaces"):
        out.append({"op": "add", "path": "/metadata/annotations", "value": {"soak-override": rng.choice("xyz")}})
    return out


def _data_patches(rng, body):
    data = body.get("data") or {}
    value = encoded("over") if body.get("type") == "Opaque" else rng.choice(WORDS)
    out = [{"path": "/data/k1", "value": value}, {"op": "add", "path": "/data/k9", "value": value},
           {"path": "x/data/k2", "value": value}, {"op": "add", "path": "/data", "value": {"only": value}}]
    return out + [{"op": "remove", "path": f"/data/{key}"} for key in sorted(data) if key not in ("k1", "k2")]


def _deployment_patches(rng, body):
    container = body["spec"]["template"]["spec"]["containers"][0]
    first = "/spec/template/spec/containers/0"
    out = [{"path": "/spec/replicas", "value": rng.randint(0, 3)}, {"path": first + "/image", "value": "over:1"},
           {"op": "add", "path": "/spec/revisionHistoryLimit", "value": rng.randint(1, 5)}]
    if "env" in container:
        out += [{"op": "add", "path": first + "/env/-", "value": {"name": "LAST", "value": "1"}},
                {"op": "add", "path": first + "/env/0", "value": {"name": "FIRST", "value": "1"}},
                {"op": "remove", "path": first + "/env/-1"}]
    return out


def _gadget_patches(rng):
    return [{"path": "/spec/deep/a/new", "value": {"x": [1, 2.5, None]}},
            {"op": "add", "path": "/spec/list/-", "value": 99}, {"op": "add", "path": "/spec/list/0", "value": 98},
            {"path": "/spec/list/-1", "value": 97},
            {"op": "remove", "path": "/spec/flag"}, {"path": "/spec/big", "value": rng.choice((1, 9007199254740992))}]


def patches(rng, type_name, body):
    out = _common_patches(rng, type_name, body)
    if type_name in ("configmaps", "secrets"):
        out += _data_patches(rng, body)
    elif type_name == "deployments":
        out += _deployment_patches(rng, body)
    elif type_name == "jobs":
        out.append({"path": "/spec/parallelism", "value": rng.randint(0, 3)})
    elif type_name == "services":
        out += [{"path": "/spec/ports/0/port", "value": 8443}, {"path": "/spec/sessionAffinity", "value": "ClientIP"}]
    elif type_name == "serviceaccounts":
        out.append({"path": "/automountServiceAccountToken", "value": False})
    elif type_name == "clusterroles":
        out += [{"op": "add", "path": "/rules/-", "value": rule(rng)}, {"path": "/rules/0/verbs", "value": ["*"]}]
    elif type_name == "gadgets":
        out += _gadget_patches(rng)
    return out


def broken_overrides(rng):
    """What cannot be applied: to one cluster, or (the last three) to none."""
    cluster = rng.choice(MEMBERS)
    return rng.choice((
        [{"clusterName": cluster, "clusterOverrides": [{"op": "remove", "path": "/no/such/field"}]}],
        [{"clusterName": cluster, "clusterOverrides": [{"op": "remove", "path": "/missing"}]}],
        [{"clusterName": cluster, "clusterOverrides": [{"path": "/metadata/name", "value": "other"}]}],
        [{"clusterName": cluster}, {"clusterName": cluster}],
        [{"clusterName": cluster, "clusterOverrides": [{"path": "/x", "value": 1}, {"path": "/x", "value": 2}]}]))


def overrides(rng, type_name, body):
    """For some clusters, patches that may also fail on one another: the caller looks whether they can be applied."""
    out = []
    for cluster in rng.sample(MEMBERS + ("atlantis",), rng.randint(1, 3)):
        pool = patches(rng, type_name, body)
        chosen, paths = [], set()
        for patch in rng.sample(pool, min(len(pool), rng.randint(1, 3))):
            if patch["path"] not in paths:
                paths.add(patch["path"])
                chosen.append(patch)
        out.append({"clusterName": cluster, "clusterOverrides": chosen})
    return out


# ---- what others do in members

def drift(rng, type_name):
    """A merge patch that changes content."""
    return {
        "configmaps": {"data": {"k1": "drift", "k7": "drift"}},
        "secrets": {"data": {"k1": encoded("drift"), "k7": encoded("drift")}},
        "deployments": {"spec": rng.choice(({"paused": True}, {"minReadySeconds": 17}, {"revisionHistoryLimit": 2}))},
        "jobs": {"spec": {"parallelism": 3}},
        "services": {"spec": rng.choice(({"selector": {"drift": "1"}}, {"sessionAffinity": "ClientIP"}))},
        "serviceaccounts": {"automountServiceAccountToken": some(rng, 0.5)},
        "clusterroles": {"rules": [rule(rng)]},
        "gadgets": {"spec": {"deep": {"drift": True}, "flag": None}, "data": {"drift": "1"}},
        "namespaces": {"metadata": {"labels": {"drift": "1"}}},
    }[type_name]


def foreign(rng, type_name, name, opted_out=False):
    """An object that somebody else made in a member."""
    body = _BODIES[type_name](rng, name)
    body["metadata"] = {"name": name, "labels": {"owner": "somebody"}, "annotations": {"soak-foreign": "1"}}
    if opted_out:
        body["metadata"]["labels"][MANAGED] = "false"
    return body
