"""What a KubeFed v0.9.2 would do with the objects that it finds: its decisions, computed a second time (controllers.md 5, 6, 8; a
small part of the language of overrides). Whatever it would write, and whatever it cannot read, is returned as texts.
"""
import copy
import json
import re

import hashes
from old_kubefed import FSS, RSP, TYPES, label
from harness import MANAGED, SYNC_FINALIZER, SYSTEM, k

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


# ---- placement

def matches(selector, labels):
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    assert not selector.get("matchExpressions"), "not needed so far"
    return True


def own_placement(obj, clusters):
    placement = obj["spec"].get("placement") or {}
    if placement.get("clusters") is not None:
        return {c["name"] for c in placement["clusters"]} & set(clusters)
    if placement.get("clusterSelector") is None:
        return set()
    return {name for name, c in clusters.items() if matches(placement["clusterSelector"], c["metadata"].get("labels") or {})}


def placement(fed, obj, clusters, namespaces):
    """(clusters, aggregate reason)"""
    selected = own_placement(obj, clusters)
    namespace = obj["metadata"].get("namespace")
    if fed == TYPES["v1/namespaces"] or not namespace:
        return selected, None
    if namespace not in namespaces:
        return set(), "NamespaceNotFederated"
    return selected & own_placement(namespaces[namespace], clusters), None


# ---- the wanted object

def patched(obj, path, op, value):
    """One operation of an override; KeyError when it does not apply."""
    *parents, last = path.lstrip("/").split("/")
    at = obj
    for segment in parents:
        at = at[segment]
    if op == "remove":
        del at[last]
    else:
        at[last] = value


def wanted(obj, cluster, live):
    """As far as versions look at it: metadata, after retention and overrides. None when the overrides do not apply."""
    out = copy.deepcopy(obj["spec"].get("template") or {})
    metadata = out.setdefault("metadata", {})
    metadata["annotations"] = dict((live or {}).get("metadata", {}).get("annotations") or {})
    try:
        for item in obj["spec"].get("overrides") or []:
            if item["clusterName"] == cluster:
                for o in item.get("clusterOverrides") or []:
                    patched(out, o["path"], o.get("op") or "replace", o.get("value"))
    except KeyError:
        return None
    out["metadata"]["labels"] = {**(out["metadata"].get("labels") or {}), MANAGED: "true"}
    return out


def needs_update(obj, want, live, recorded):
    version = hashes.object_version(live)
    if recorded != version:
        return f"recorded version is {recorded or 'none'}, that of the object {version}"
    if version.startswith("gen:"):
        for field in ("labels", "annotations"):
            a, b = want["metadata"].get(field) or {}, live["metadata"].get(field) or {}
            if a != b:
                return f"{field} are {b}, wanted are {a}"
    return None


# ---- all decisions

class Go:
    def __init__(self, plane):
        self.clusters = {c["metadata"]["name"]: c for c in plane.host.list(k.KFC)}
        self.apis = plane.clusters
        self.host = plane.host
        self.federated = plane.federated()
        self.namespaces = {key[1]: o for key, o in self.federated.items() if key[0] == TYPES["v1/namespaces"] and key[1] == key[2]}
        self.versions = {(o["metadata"].get("namespace"), o["metadata"]["name"]): o for r in (k.PV, k.CPV) for o in self.host.list(r)}
        self.members = {(c, target, o["metadata"].get("namespace"), o["metadata"]["name"]): o for c, api in self.apis.items()
                        for target in TYPES for o in api.list(target, selector=f"{MANAGED}=true")}
        self.ftcs = {o["metadata"]["name"]: o for o in self.host.list(k.FTC)}
        gates = {g["name"]: g["configuration"] for g in self.host.get(k.KFCONFIG, SYSTEM, "kubefed")["spec"]["featureGates"]}
        self.raw = gates["RawResourceStatusCollection"] == "Enabled"
        self.out = []

    def writes(self):
        """Texts: what it would write into members, and into the objects that it keeps on the host."""
        for target, fed in TYPES.items():
            for key, obj in self.federated.items():
                if key[0] == fed:
                    self._object(target, fed, obj)
            self._orphans(target, fed)
        for name, ftc in self.ftcs.items():
            self._type(name, ftc)
        self._service_status()
        self._replicas()
        for name, cluster in self.clusters.items():
            if k.condition(cluster, "Ready").get("status") != "True":
                self.out.append(f"cluster {name} is not ready")
        return self.out

    def _say(self, fed, obj, text):
        self.out.append(f"{label(fed, obj)}: {text}")

    def _object(self, target, fed, obj):
        selected, reason = placement(fed, obj, self.clusters, self.namespaces)
        name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
        kind = obj["kind"][len("Federated"):]
        version = self.versions.get((namespace, f"{kind.lower()}-{name}"))
        at = None if kind == "Namespace" else namespace
        if SYNC_FINALIZER not in obj["metadata"].get("finalizers", []):
            self._say(fed, obj, "the finalizer is missing")
        statuses, recorded, remote = {}, self._recorded(obj, version), {}
        for cluster in self.clusters:
            live = self.members.get((cluster, target, at, name))
            if cluster not in selected:
                if live:
                    self._say(fed, obj, f"is to be deleted in {cluster}")
                continue
            want = wanted(obj, cluster, live)
            statuses[cluster] = "" if want else "ApplyOverridesFailed"
            remote[cluster] = (live or {}).get("status") if self._is_collected(target) else None
            if want and not live:
                self._say(fed, obj, f"is to be created in {cluster}")
            elif want:
                why = needs_update(obj, want, live, recorded.get(cluster))
                if why:
                    self._say(fed, obj, f"is to be updated in {cluster}: {why}")
        self._version(fed, obj, version, {c for c, s in statuses.items() if not s})
        self._status(fed, obj, reason, statuses, remote)

    def _is_collected(self, target):
        group, _, plural = target.rpartition("/v1/") if "/v1/" in target else ("", "", target.split("/")[1])
        return self.raw and self.ftcs[f"{plural}.{group}" if group else plural]["spec"].get("statusCollection") == "Enabled"

    def _recorded(self, obj, version):
        status = (version or {}).get("status") or {}
        if (status.get("templateVersion"), status.get("overridesVersion")) != \
                (hashes.template_version(obj["spec"]), hashes.overrides_version(obj["spec"])):
            return {}
        return {v["clusterName"]: v["version"] for v in status.get("clusterVersions") or []}

    def _version(self, fed, obj, version, served):
        if not version:
            self._say(fed, obj, "has no version")
            return
        recorded = self._recorded(obj, version)
        names = [v["clusterName"] for v in version["status"].get("clusterVersions") or []]
        if set(recorded) != served or names != sorted(names):
            self._say(fed, obj, f"its version names {names}, it is in {sorted(served)}")
        owners = version["metadata"].get("ownerReferences") or []
        expected = {"apiVersion": "types.kubefed.io/v1beta1", "kind": obj["kind"], "name": obj["metadata"]["name"],
                    "uid": obj["metadata"]["uid"]}
        if owners != [expected]:
            self._say(fed, obj, f"the owner of its version is {owners}")

    def _status(self, fed, obj, reason, statuses, remote):
        """6.4: is there anything to write?"""
        status = obj.get("status") or {}
        reason = reason or ("CheckClusters" if any(statuses.values()) else "")
        condition = k.condition(obj, "Propagation")
        shown = {c["name"]: c.get("status", "") for c in status.get("clusters") or []}
        shown_remote = {c["name"]: c.get("remoteStatus") for c in status.get("clusters") or []}
        found = (status.get("observedGeneration"), condition.get("status"), condition.get("reason", ""), shown, shown_remote)
        right = (obj["metadata"]["generation"], "False" if reason else "True", reason, statuses, remote)
        if found != right:
            self._say(fed, obj, f"its status is {found}, not {right}")

    def _orphans(self, target, fed):
        for cluster, of, namespace, name in self.members:
            key = (fed, name if target == "v1/namespaces" else namespace, name)
            if of == target and key not in self.federated:
                self.out.append(f"{target} {namespace}/{name} in {cluster} would lose its label")

    def _type(self, name, ftc):
        status = ftc.get("status") or {}
        right = {"observedGeneration": ftc["metadata"]["generation"], "propagationController": "Running",
                 "statusController": "Running" if name == "services" and not self.raw else "NotRunning"}
        if status != right or ftc["metadata"].get("finalizers") != ["core.kubefed.io/federated-type-config"]:
            self.out.append(f"FederatedTypeConfig {name}: status {status}, finalizers {ftc['metadata'].get('finalizers')}")

    def _service_status(self):
        for shown in self.host.list(FSS) if not self.raw else ():
            name, namespace = shown["metadata"]["name"], shown["metadata"]["namespace"]
            live = {c: self.members.get((c, "v1/services", namespace, name)) for c in sorted(self.clusters)}
            right = [{"clusterName": c, **({"status": o["status"]} if o else {})} for c, o in live.items()]
            if shown.get("clusterStatus") != right:
                self.out.append(f"FederatedServiceStatus {namespace}/{name}: {shown.get('clusterStatus')}, not {right}")

    def _replicas(self):
        """8.6, for weights alone and shares that come out even."""
        for preference in self.host.list(RSP):
            spec, name, namespace = preference["spec"], preference["metadata"]["name"], preference["metadata"]["namespace"]
            weights = {c: p["weight"] for c, p in spec["clusters"].items()}
            assert all(set(p) == {"weight"} for p in spec["clusters"].values()) and "*" not in weights, "not needed so far"
            share, rest = divmod(spec["totalReplicas"], sum(weights.values()))
            assert rest == 0, "not needed so far"
            obj = self.federated[TYPES["apps/v1/deployments"], namespace, name]
            found = {o["clusterName"]: p["value"] for o in obj["spec"].get("overrides") or [] for p in o["clusterOverrides"]
                     if p["path"] == "/spec/replicas"}
            placed = sorted(c["name"] for c in obj["spec"]["placement"]["clusters"])
            if found != {c: w * share for c, w in weights.items()} or placed != sorted(weights):
                self.out.append(f"{namespace}/{name}: replicas are {found} in {placed}")


# ---- what it can read

def unknown_fields(value, schema, path=""):
    """Paths of what an old definition does not have."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, dict):
        for key, child in value.items():
            if path == "" and key in ("apiVersion", "kind", "metadata"):
                continue
            below = (schema.get("properties") or {}).get(key) or schema.get("additionalProperties")
            if not isinstance(below, dict):
                yield f"{path}.{key}".lstrip(".")
            else:
                yield from unknown_fields(child, below, f"{path}.{key}")
        for key in schema.get("required") or []:
            if key not in value:
                yield f"{path}.{key} is missing".lstrip(".")
    elif isinstance(value, list):
        for child in value:
            yield from unknown_fields(child, schema.get("items") or {}, path + "[]")


def unreadable(plane):
    """{plural: paths} of the fields on the host that the old definitions do not know."""
    out = {}
    for plural, crd in plane.definitions.items():
        spec = crd["spec"]
        for obj in plane.host.list(f"{spec['group']}/{spec['versions'][0]['name']}/{plural}"):
            for path in unknown_fields(obj, spec["versions"][0]["schema"]["openAPIV3Schema"]):
                out.setdefault(plural, set()).add(path)
    return out


def lock_problems(text):
    """What client-go would have against a record of the lock, or would have to wait for."""
    record = json.loads(text)
    out = []
    if set(record) != {"holderIdentity", "leaseDurationSeconds", "acquireTime", "renewTime", "leaderTransitions"}:
        out.append(f"members {sorted(record)}")
    out += [f"{key} is {record.get(key)!r}" for key in ("leaseDurationSeconds", "leaderTransitions") if type(record.get(key)) is not int]
    out += [f"{key} is {record.get(key)!r}" for key in ("acquireTime", "renewTime") if not TIME.match(record.get(key, ""))]
    if record.get("holderIdentity") != "":
        out.append(f"it is held by {record.get('holderIdentity')!r}")
    return out
