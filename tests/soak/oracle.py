"""What must be where: an independent computation from controllers.md (5.5 to 5.13, 6), not from the program under test.

`expectation` says for each slot of a member what may be found there at the end of a round, `desired` what a propagated
object looks like, `expected_status` and `expected_versions` what the host must say about it.
"""
import copy
import re

import common  # noqa: F401
import hashes
from shapes import MANAGED, TYPES
from waiting import k, show

NAMESPACE_NOT_FEDERATED, CHECK_CLUSTERS = "NamespaceNotFederated", "CheckClusters"
PLACEMENT_FAILED = "ComputePlacementFailed"
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
FORBIDDEN_PATHS = ("/metadata/namespace", "/metadata/name", "/metadata/generateName", "/kind")


class PatchError(Exception):
    """An override cannot be applied."""


# ---- placement (5.5)

def _matches(requirement, labels):
    key, operator = requirement["key"], requirement["operator"]
    values = requirement.get("values") or []
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return key not in labels or labels[key] not in values
    return (key in labels) == (operator == "Exists")


def computable(placement):
    """A broken selector is an error of its own, unless a list of clusters makes it irrelevant."""
    placement = placement or {}
    if placement.get("clusters") is not None:
        return True
    selector = placement.get("clusterSelector") or {}
    values = (selector.get("matchLabels") or {}).values()
    return all(item["operator"] in OPERATORS for item in selector.get("matchExpressions") or []) and \
        all(re.fullmatch(r"(?i)([a-z0-9]([a-z0-9_.-]*[a-z0-9])?)?", value) for value in values)


def selects(placement, member, labels):
    """Whether the placement selects the cluster; one that cannot be computed selects none."""
    placement = placement or {}
    if not computable(placement):
        return False
    if placement.get("clusters") is not None:
        return any(item["name"] == member for item in placement["clusters"])
    selector = placement.get("clusterSelector")
    if selector is None:
        return False
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()) and \
        all(_matches(requirement, labels) for requirement in selector.get("matchExpressions") or [])


# ---- overrides (5.7): the JSON patch of KubeFed, which is not quite that of RFC 6902

def _segments(path):
    first, *rest = path.split("/")
    if not rest:
        raise PatchError(f"path {path!r} has no member")
    return [re.sub("~[01]", lambda m: "~" if m.group() == "~0" else "/", part) for part in rest]


def _index(text, length, inserting):
    if text == "-" and inserting:
        return length
    if not re.fullmatch(r"[+-]?\d+", text):
        raise PatchError(f"{text!r} is no index")
    index, last = int(text), length if inserting else length - 1
    if index < 0:
        index += last + 1
    if not 0 <= index <= last:
        raise PatchError(f"index {text} is out of range")
    return index


def _parent(document, segments):
    for segment in segments:
        if isinstance(document, dict):
            document = document.get(segment)
        elif isinstance(document, list):
            document = document[_index(segment, len(document), False)]
        if not isinstance(document, (dict, list)):
            raise PatchError(f"nothing at {segment!r}")
    return document


def apply_patch(document, patch):
    *way, last = _segments(patch["path"])
    parent, operation, value = _parent(document, way), patch.get("op") or "replace", copy.deepcopy(patch.get("value"))
    if isinstance(parent, list):
        index = _index(last, len(parent), operation == "add")
        if operation == "add":
            parent.insert(index, value)
        elif operation == "remove":
            del parent[index]
        else:
            parent[index] = value
    elif operation == "remove":
        if last not in parent:
            raise PatchError(f"there is no {last!r}")
        del parent[last]
    else:
        parent[last] = value


# ---- the object of a cluster (5.6 to 5.8)

def check_overrides(fed):
    """What is wrong with the list as a whole concerns all clusters."""
    items = fed.spec.get("overrides") or []
    names = [item["clusterName"] for item in items]
    if len(names) != len(set(names)):
        raise PatchError("a cluster appears twice")
    for item in items:
        paths = [patch["path"] for patch in item.get("clusterOverrides") or []]
        if len(paths) != len(set(paths)) or set(paths) & set(FORBIDDEN_PATHS):
            raise PatchError("a path appears twice or is forbidden")


def patches_of(fed, member):
    return [patch for item in fed.spec.get("overrides") or [] if item["clusterName"] == member
            for patch in item.get("clusterOverrides") or []]


def desired(key, fed, member):
    """Template, cleaned, with overrides and label; what the member's own object keeps is not in it."""
    type_name, namespace, name = key
    kind = TYPES[type_name]
    out = copy.deepcopy(fed.spec.get("template") or {})
    metadata = out.setdefault("metadata", {})
    metadata.pop("annotations", None)
    metadata.pop("finalizers", None)
    metadata["name"] = name
    if kind.namespaced:
        metadata["namespace"] = namespace
    out["kind"] = kind.kind
    out.setdefault("apiVersion", kind.api_version)
    check_overrides(fed)
    for patch in patches_of(fed, member):
        apply_patch(out, patch)
    metadata = out.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), MANAGED: "true"}
    return out


def can_be_applied(key, fed, members):
    try:
        for member in members:
            desired(key, fed, member)
    except PatchError:
        return False
    return True


def comparable(type_name, obj):
    """An object without what servers and other controllers add, and without what a member may keep."""
    out = {field: copy.deepcopy(value) for field, value in obj.items()
           if field not in ("metadata", "status", "apiVersion", "kind")}
    if type_name == "services":
        for field in ("clusterIP", "clusterIPs", "healthCheckNodePort"):
            out["spec"].pop(field, None)
        for port in out["spec"].get("ports") or []:
            port.pop("nodePort", None)
    elif type_name == "serviceaccounts":
        out.pop("secrets", None)
    elif type_name == "namespaces":
        out.pop("spec", None)
    elif type_name in ("configmaps", "secrets"):
        for field in ("data", "binaryData"):
            if not out.get(field):
                out.pop(field, None)
    return out


def identity(type_name, obj):
    """What may not change of an object that is not ours to touch."""
    metadata = obj["metadata"]
    annotations = metadata.get("annotations") or {}
    annotations = {key: value for key, value in annotations.items() if not key.startswith("deployment.")}
    return {**comparable(type_name, obj), "metadata": {
        "uid": metadata["uid"], "labels": metadata.get("labels") or {}, "annotations": annotations}}


def label_of(obj):
    return (obj["metadata"].get("labels") or {}).get(MANAGED)


def kind_of(obj, registered=True):
    """absent, managed, stranded (labelled in a cluster that is not registered), optedout, or loose (not labelled)."""
    if obj is None:
        return "absent"
    if label_of(obj) == "true":
        return "managed" if registered else "stranded"
    return "optedout" if label_of(obj) == "false" else "loose"


# ---- what may be in a slot

MANAGED_AS_DESIRED, ABSENT, UNTOUCHED, OPTED_OUT = "as desired", "absent", "untouched", "opted out"
UNLABELLED, LET_GO, ANYTHING = "without the label", "without the label, otherwise as it was", "anything"


def _where_broken(world, slot, operations):
    """The placement or the overrides are broken: what is there stays, whatever it is; nothing new is made."""
    kind, key, member = world.kind_at_start(slot), slot[1:], slot[0]
    applied = any(fed and can_be_applied(key, fed, [member]) for fed in world.history(key))
    if kind == "absent" and not operations and not (applied and world.possibly_placed(key, member)):
        return {ABSENT}
    return {ANYTHING}


def _where_placed(world, slot, operations):
    kind, key, member = world.kind_at_start(slot), slot[1:], slot[0]
    if not can_be_applied(key, world.objects[key], [member]):
        return _where_broken(world, slot, operations)
    if kind == "optedout":
        if not operations and world.namespace_surely_stays(slot):
            return {UNTOUCHED}
        return {MANAGED_AS_DESIRED} if operations == ["optin"] else {MANAGED_AS_DESIRED, OPTED_OUT}
    if not {"optout", "foreign-optout"} & set(operations):
        return {MANAGED_AS_DESIRED}
    if kind == "managed" and operations == ["optout"] and world.surely_placed(key, member) and \
            world.namespace_surely_stays(slot):
        return {OPTED_OUT}
    if kind == "absent" and operations == ["foreign-optout"] and slot in world.early and \
            world.namespace_surely_stays(slot):
        return {OPTED_OUT}
    return {MANAGED_AS_DESIRED, OPTED_OUT}


def _is_let_go(world, slot, operations):
    """Deleted with the orphan annotation, and nothing else happened to it in this round."""
    key = slot[1:]
    return world.orphaned.get(key) == 1 and len(world.history(key)) == 2 and not operations and \
        world.surely_placed(key, slot[0], but_deletion=True) and world.namespace_surely_stays(slot)


def _where_not_placed(world, slot, operations):
    kind, key, member = world.kind_at_start(slot), slot[1:], slot[0]
    gone_for_a_while = not world.registered_throughout(member) and None in world.history(key)
    loosened = set(operations) & {"foreign", "foreign-optout", "unlabel", "optout", "optin"}
    if kind in ("absent", "managed") and not loosened and not world.orphaned.get(key) and not gone_for_a_while:
        return {ABSENT}
    if kind == "stranded" and not operations and None not in world.history(key):
        return {ABSENT}
    stays = world.namespace_surely_stays(slot)
    if kind in ("loose", "optedout") and not operations and stays and \
            (kind == "optedout" or not world.possibly_placed(key, member)):
        return {UNTOUCHED}
    if kind == "managed" and _is_let_go(world, slot, operations):
        return {LET_GO}
    if kind == "absent" and operations in (["foreign"], ["foreign-optout"]) and stays and \
            not world.possibly_placed(key, member):
        return {UNLABELLED}
    return {ABSENT, UNLABELLED}


def expectation(world, slot, namespace_there):
    """The states that are right for a slot at the end of the round."""
    member, type_name, namespace, name = slot
    operations = world.operations_on(slot)
    if not world.clusters[member].registered:
        if world.unregistered_throughout(member) and not operations and world.namespace_surely_stays(slot):
            return {UNTOUCHED}
        return {ANYTHING}
    if TYPES[type_name].namespaced and not namespace_there:
        return {ABSENT}
    if not world.placement_works(slot[1:]):
        return _where_broken(world, slot, operations)
    if world.placed(slot[1:], member):
        return _where_placed(world, slot, operations)
    return _where_not_placed(world, slot, operations)


# ---- comparing

class Judge:
    """Compares what is there with what must be; `defaults` turns an object into what a server makes of it."""

    def __init__(self, world, defaults):
        self.world, self.defaults = world, defaults

    def slot(self, slot, obj, namespace_there):
        """None, or what is wrong with that slot."""
        allowed = expectation(self.world, slot, namespace_there)
        if ANYTHING in allowed:
            return None
        wrong = []
        for state in sorted(allowed):
            problem = self._compare(slot, obj, state)
            if problem is None:
                return None
            wrong.append(f"not {state} ({problem})")
        return "; ".join(wrong)

    def _compare(self, slot, obj, state):
        if state == ABSENT or obj is None:
            if state == UNTOUCHED:
                return None if self.world.start.get(slot) is None else "it is gone"
            return None if (obj is None) == (state == ABSENT) else "it is there" if obj else "it is not there"
        if obj["metadata"].get("deletionTimestamp"):
            return "it is being deleted"
        if state == UNTOUCHED:
            return self._same(slot, obj, self.world.start.get(slot))
        if state == LET_GO:
            before = copy.deepcopy(self.world.start[slot])
            before["metadata"]["labels"].pop(MANAGED)
            return self._same(slot, obj, before)
        if state == UNLABELLED:
            return "the label is there" if label_of(obj) == "true" else None
        if state == OPTED_OUT:
            return None if label_of(obj) == "false" else f"the label is {label_of(obj)!r}"
        return self._as_desired(slot, obj)

    @staticmethod
    def _same(slot, obj, before):
        if before is None:
            return "it was not there before"
        now, then = identity(slot[1], obj), identity(slot[1], before)
        return None if now == then else f"it was {show(then)}, is {show(now)}"

    def _as_desired(self, slot, obj):
        member, key = slot[0], slot[1:]
        fed = self.world.objects[key]
        wanted = desired(key, fed, member)
        if (obj["metadata"].get("labels") or {}) != wanted["metadata"]["labels"]:
            return f"labels: expected {show(wanted['metadata']['labels'])}, are {show(obj['metadata'].get('labels'))}"
        problem = self._annotations(slot, wanted, obj)
        if problem:
            return problem
        if obj["metadata"].get("finalizers"):
            return f"finalizers {obj['metadata']['finalizers']}"
        expected = comparable(slot[1], self.defaults(slot[1], wanted))
        actual = comparable(slot[1], obj)
        self._replicas(slot, fed, expected, actual)
        return None if actual == expected else f"expected {show(expected)}, is {show(actual)}"

    def _annotations(self, slot, wanted, obj):
        """A member keeps its annotations; an override that sets them all replaces them (5.8, 5.7)."""
        present = obj["metadata"].get("annotations") or {}
        override = wanted["metadata"].get("annotations")
        if override is not None:
            return None if present == override else f"annotations: expected {show(override)}, are {show(present)}"
        strange = [key for key in present if not key.startswith(("soak-", "deployment.kubernetes.io/"))]
        if strange:
            return f"annotations {strange}"
        kept = self.world.annotated.get(slot, {})
        if kept and self._stayed(slot) and any(present.get(key) != value for key, value in kept.items()):
            return f"annotations: {show(kept)} is not kept in {show(present)}"
        return None

    def _stayed(self, slot):
        """The managed object was there the whole round; nobody but us and the driver's harmless changes touched it."""
        operations = set(self.world.operations_on(slot))
        annotating = any("annotations" in patch["path"] for fed in self.world.history(slot[1:]) if fed
                         for patch in patches_of(fed, slot[0]))
        annotating |= not all(fed and can_be_applied(slot[1:], fed, [slot[0]]) for fed in self.world.history(slot[1:]))
        harmless = not operations - {"data", "meta", "scale", "finalizer"}
        return self.world.kind_at_start(slot) == "managed" and harmless and not annotating and \
            self.world.surely_placed(slot[1:], slot[0]) and self.world.namespace_surely_stays(slot)

    def _replicas(self, slot, fed, expected, actual):
        """With retainReplicas a member's count stays, unless an override sets it (5.8)."""
        if slot[1] != "deployments" or not fed.spec.get("retainReplicas") or \
                any(patch["path"] == "/spec/replicas" for patch in patches_of(fed, slot[0])):
            return
        always = all(f and f.spec.get("retainReplicas") and
                     not any(patch["path"] == "/spec/replicas" for patch in patches_of(f, slot[0]))
                     for f in self.world.history(slot[1:]))
        if always and self._stayed(slot):
            start = self.world.start[slot]["spec"]["replicas"]
            expected["spec"]["replicas"] = self.world.scaled.get(slot, start)
        else:
            expected["spec"]["replicas"] = actual["spec"].get("replicas")

    # -- what the host says

    def status(self, key, obj, members):
        """None, or what is wrong with a federated object's status (6). members: {member: object or None}."""
        status = obj.get("status") or {}
        reason, clusters = expected_status(self.world, key, members)
        if status.get("observedGeneration") != obj["metadata"]["generation"]:
            return f"generation {obj['metadata']['generation']} is not observed: {show(status)}"
        conditions = status.get("conditions") or []
        if [c.get("type") for c in conditions] != ["Propagation"]:
            return f"conditions {show(conditions)}"
        if (conditions[0].get("status"), conditions[0].get("reason", "")) != ("False" if reason else "True", reason):
            return f"condition: expected {reason or 'True'}, status is {show(status)}"
        if status.get("clusters", []) != clusters:
            return f"clusters: expected {show(clusters)}, are {show(status.get('clusters'))}"
        return None

    def version(self, key, obj, record, members):
        """None, or what is wrong with the version record (5.9)."""
        if record is None:
            return "there is no version record" if self.world.placement_works(key) else None
        status = record.get("status") or {}
        if not self.world.placement_works(key):
            return None
        for field, expected in (("templateVersion", hashes.template_version(obj["spec"])),
                                ("overridesVersion", hashes.overrides_version(obj["spec"]))):
            if status.get(field, "") != expected:
                return f"{field} is {status.get(field)!r}, expected {expected!r}"
        recorded = {c["clusterName"]: c["version"] for c in status.get("clusterVersions") or []}
        if list(recorded) != sorted(recorded):
            return f"clusterVersions are not sorted: {list(recorded)}"
        working = {member for member in members if can_be_applied(key, self.world.objects[key], [member])}
        expected = {member: hashes.object_version(target) for member, target in members.items()
                    if member in working and self.world.placed(key, member) and target and label_of(target) == "true"}
        opted_out = {member for member, target in members.items() if target and label_of(target) == "false"}
        recorded = {member: version for member, version in recorded.items()
                    if member in working - opted_out or not self.world.placed(key, member)}
        return None if recorded == expected else f"clusterVersions: expected {show(expected)}, are {show(recorded)}"


def expected_status(world, key, members):
    """(reason, clusters) of the propagation status. Whether a placed object opted out is seen from the object."""
    if not world.placement_works(key):
        return PLACEMENT_FAILED, []
    if TYPES[key[0]].namespaced and ("namespaces", key[1], key[1]) not in world.objects:
        return NAMESPACE_NOT_FEDERATED, []
    clusters = []
    for member in sorted(world.clusters):
        if world.placed(key, member):
            target = members.get(member)
            out = target is not None and label_of(target) == "false"
            failed = "" if can_be_applied(key, world.objects[key], [member]) else "ApplyOverridesFailed"
            failed = failed or ("ManagedLabelFalse" if out else "")
            clusters.append({"name": member, **({"status": failed} if failed else {})})
    return CHECK_CLUSTERS if any("status" in c for c in clusters) else "", clusters


def version_name(key):
    return f"{TYPES[key[0]].kind.lower()}-{key[2]}"


__all__ = ["Judge", "PatchError", "can_be_applied", "comparable", "desired", "expectation", "k", "kind_of", "selects",
           "version_name"]
