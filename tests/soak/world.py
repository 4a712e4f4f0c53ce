"""The model: what the driver has asked for, now and since the round began.

The model changes only through the driver's decisions, never through what the clusters answer, so that a seed leads to
the same decisions again. What cannot be known in advance (say, whether an object whose label was taken away shortly
before its federated object was deleted is still there) is looked at when a round ends, and kept in `start` for the next
round's comparison; no decision depends on it.

Keys: an object is (type, namespace, name), for example ("configmaps", "soak-1", "soak-a"); the namespace of
cluster-scoped types is "", that of a FederatedNamespace is its own name. A slot is (member, type, namespace, name): the
place in a member where the target object of that key is or could be.
"""
import copy
import random

import oracle
from shapes import MEMBERS, TYPES


class Fed:
    """A federated object as asked for."""

    def __init__(self, spec, annotations=None):
        self.spec, self.annotations = spec, annotations or {}

    def copy(self):
        return copy.deepcopy(self)


class Cluster:
    def __init__(self, labels, registered=True):
        self.labels, self.registered = labels, registered


class World:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.namespaces = []        # of the host, alive
        self.namespace_count = 0
        self.objects = {}           # key -> Fed
        self.clusters = {}          # member -> Cluster
        self.enabled = {name: True for name in TYPES}
        self.maybe_opted_out = set()    # slots
        self.lacking = set()        # members without the CRD of the custom resource
        self.foreign_count = 0
        self.start = {}             # slot -> the member object as it was when the round began; absent: not there
        self.begin_round()

    # -- the round's history

    def begin_round(self):
        self.versions = {key: [fed.copy()] for key, fed in self.objects.items()}
        self.cluster_versions = {c: [copy.deepcopy(cluster)] for c, cluster in self.clusters.items()}
        self.operations = {}        # slot -> what the driver did there, in order
        self.swept = set()          # members that lost the CRD of the custom resource, and all objects with it
        self.early = set()          # slots where a foreign object came before anything of ours could
        self.orphaned = {}          # key -> number of deletions with the orphan annotation
        self.scaled = {}            # slot -> replicas
        self.annotated = {}         # slot -> {annotation: value}

    def history(self, key):
        """All states of a federated object in this round; None where it did not exist."""
        return self.versions.get(key, [self.objects.get(key)])

    def cluster_history(self, member):
        return self.cluster_versions[member]

    # -- changes

    def set_object(self, key, fed):
        """A federated object is created, changed, or (None) deleted."""
        self.versions.setdefault(key, [None])
        if fed is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = fed
        self.versions[key].append(fed.copy() if fed else None)

    def delete_object(self, key, orphan=False):
        if orphan:
            self.orphaned[key] = self.orphaned.get(key, 0) + 1
        self.set_object(key, None)

    def set_cluster(self, member, labels=None, registered=None):
        cluster = self.clusters[member]
        if labels is not None:
            cluster.labels = labels
        if registered is not None:
            cluster.registered = registered
        self.cluster_versions[member].append(copy.deepcopy(cluster))

    def operate(self, slot, operation):
        if operation in ("foreign", "foreign-optout") and not self.operations.get(slot) and \
                not self.possibly_placed(slot[1:], slot[0]):
            self.early.add(slot)
        self.operations.setdefault(slot, []).append(operation)
        if operation in ("optout", "foreign-optout"):
            self.maybe_opted_out.add(slot)
        elif operation == "optin":
            self.maybe_opted_out.discard(slot)

    # -- questions

    def operations_on(self, slot):
        """What the driver did in a slot in this round, in order."""
        swept = ["delete"] if slot[1] == "gadgets" and slot[0] in self.swept else []
        return self.operations.get(slot, []) + swept

    @staticmethod
    def _selected(fed, cluster, member):
        return fed is not None and cluster.registered and \
            oracle.selects(fed.spec.get("placement"), member, cluster.labels)

    def _bounds(self, key):
        """The keys whose placements together decide: the object's own, and that of its namespace."""
        return [key] if not TYPES[key[0]].namespaced else [key, ("namespaces", key[1], key[1])]

    def placed(self, key, member):
        cluster = self.clusters[member]
        return all(self._selected(self.objects.get(bound), cluster, member) for bound in self._bounds(key))

    def possibly_placed(self, key, member):
        """Some mixture of old and new states that the controller may have seen in this round places it there."""
        return all(any(self._selected(fed, cluster, member) for fed in self.history(bound)
                       for cluster in self.cluster_history(member)) for bound in self._bounds(key))

    def surely_placed(self, key, member, but_deletion=False):
        """Every mixture does. but_deletion: not counting that the object is deleted at last."""
        for bound in self._bounds(key):
            states = self.history(bound)
            if but_deletion and bound == key and states[-1] is None:
                states = states[:-1]
            clusters = self.cluster_history(member)
            if not all(self._selected(fed, cluster, member) for fed in states for cluster in clusters):
                return False
        return True

    def placement_works(self, key):
        """Whether the placement of an object (and of its namespace) can be computed."""
        return key not in self.objects or all(
            bound not in self.objects or oracle.computable(self.objects[bound].spec.get("placement"))
            for bound in self._bounds(key))

    def registered_throughout(self, member):
        return all(cluster.registered for cluster in self.cluster_history(member))

    def unregistered_throughout(self, member):
        return not any(cluster.registered for cluster in self.cluster_history(member))

    def kind_at_start(self, slot):
        return oracle.kind_of(self.start.get(slot), self.cluster_history(slot[0])[0].registered)

    def namespace_surely_stays(self, slot):
        """The member's namespace that holds the slot was there the whole round."""
        member, type_name, namespace, _ = slot
        if not TYPES[type_name].namespaced:
            return True
        key = ("namespaces", namespace, namespace)
        holder = (member, *key)
        kind = self.kind_at_start(holder)
        if kind == "absent" or set(self.operations_on(holder)) - {"data", "meta", "finalizer"}:
            return False
        if self.unregistered_throughout(member) or kind == "optedout":
            return True
        if kind == "managed":
            return self.surely_placed(key, member)
        return kind == "loose" and not self.possibly_placed(key, member)

    def keys(self, type_name=None, namespace=None):
        return sorted(key for key in self.objects if (type_name is None or key[0] == type_name) and
                      (namespace is None or key[1] == namespace))

    def slots(self):
        """Every slot that something may be in."""
        keys = set(self.objects) | set(self.versions)
        found = {(member, *key) for key in keys for member in MEMBERS}
        return found | set(self.start) | set(self.operations)
