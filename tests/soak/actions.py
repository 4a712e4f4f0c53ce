"""The random actions: each draws its choice from the model, changes the model at once, and leaves a Step to carry out.

Steps of one batch run at the same time; `touches` says what must not be touched twice in a batch. Carrying out a step
never influences later choices.
"""
import oracle
import shapes
from shapes import CONTENT_TYPES, MANAGED, MEMBERS, TYPES, some
from world import Fed

NAMES = ("soak-a", "soak-b", "soak-c")
MOST_NAMESPACES = 5
FEW_OBJECTS = 40


class Step:
    def __init__(self, text, run, touches=(), alone=False, keys=()):
        self.text, self.run, self.touches, self.alone = text, run, set(touches), alone
        self.keys = set(keys)       # objects that it concerns, for the report of a failure


def path(key):
    return "/".join(part for part in key if part)


class Chooser:
    """Draws the next step. `without`: names of actions never to choose; `weights`: other weights for some."""

    WEIGHTS = {
        "create": 14, "edit_template": 12, "edit_placement": 9, "edit_overrides": 8, "delete": 6, "touch": 2,
        "toggle_retain": 2, "create_namespace": 2, "delete_namespace": 0.5, "federate_namespace": 5,
        "unfederate_namespace": 0.8, "place_namespace": 4, "edit_namespace": 2, "label_cluster": 3, "drift_data": 8,
        "drift_delete": 6, "drift_unlabel": 4, "drift_optout": 2, "drift_optin": 2, "drift_metadata": 5,
        "drift_finalizer": 2, "drift_scale": 3, "foreign_same_name": 5, "foreign_unrelated": 2, "flap": 4, "restart": 2,
        "toggle_type": 2, "toggle_cluster": 1.5, "break_overrides": 1.5, "break_secret": 1.5, "remove_definition": 0.5,
    }

    def __init__(self, world, types=None, without=(), weights=None):
        self.world, self.rng = world, world.rng
        self.types = [t for t in CONTENT_TYPES if not types or t in types]
        self.weights = {**self.WEIGHTS, **(weights or {})}
        unknown = (set(without) | set(self.weights)) - set(self.WEIGHTS)
        if unknown:
            raise ValueError(f"no actions {sorted(unknown)}; there are {', '.join(self.WEIGHTS)}")
        self.actions = [a for a in self.WEIGHTS if a not in without]

    def next(self):
        weights = dict(self.weights)
        if len(self.world.objects) < FEW_OBJECTS:
            weights["create"] *= 4
        while True:
            name = self.rng.choices(self.actions, [weights[a] for a in self.actions])[0]
            step = getattr(self, name)()
            if step:
                return step

    def batch(self, limit):
        """Up to `limit` steps that do not touch each other. One that does not fit opens the next batch."""
        steps, self._next = [self._take()], None
        while len(steps) < limit and not steps[-1].alone:
            step = self._take()
            if step.alone or any(step.touches & other.touches for other in steps):
                self._next = step
                break
            steps.append(step)
        return steps

    _next = None

    def _take(self):
        step, self._next = self._next or self.next(), None
        return step

    # -- picking

    def _object(self, types=None):
        keys = [key for key in self.world.keys() if key[0] in (types or self.types)]
        return self.rng.choice(keys) if keys else None

    def _slot(self, types=None, placed=True):
        """A slot of a federated object, where it is placed."""
        slots = [(member, *key) for key in self.world.keys() for member in MEMBERS
                 if key[0] in (types or self.types + ["namespaces"]) and self.world.placed(key, member) == placed]
        slots = [slot for slot in slots if slot not in self.world.maybe_opted_out and not self._is_lacking(slot) and
                 len(self.world.operations.get(slot, ())) < 3]
        return self.rng.choice(slots) if slots else None

    def _is_lacking(self, slot):
        return slot[1] == "gadgets" and slot[0] in self.world.lacking

    def _free_key(self):
        """A key of a type and namespace without a federated object."""
        type_name = self.rng.choice(self.types)
        if not TYPES[type_name].namespaced:
            candidates = [(type_name, "", name) for name in NAMES]
        else:
            candidates = [(type_name, namespace, name) for namespace in self.world.namespaces for name in NAMES]
        candidates = [key for key in candidates if key not in self.world.objects]
        return self.rng.choice(candidates) if candidates else None

    def _spec(self, key, old=None):
        spec = {"template": shapes.template(self.rng, key[0], key[2]),
                "placement": old["placement"] if old else shapes.placement(self.rng)}
        if key[0] == "deployments" and some(self.rng, 0.3):
            spec["retainReplicas"] = True
        if some(self.rng, 0.4):
            spec["overrides"] = shapes.overrides(self.rng, key[0], spec["template"])
        return self._mended(key, spec)

    def _mended(self, key, spec):
        """Without overrides if these cannot be applied to the template."""
        if not oracle.can_be_applied(key, Fed(spec), MEMBERS):
            spec.pop("overrides", None)
        return spec

    # -- federated objects

    def _put(self, what, key, fed, touches=()):
        self.world.set_object(key, fed)
        target = self.world.objects[key].copy()
        return Step(f"{what} {path(key)}{describe(target)}", lambda driver: driver.put(key, target),
                    {key, *touches}, keys=[key])

    def create(self):
        key = self._free_key()
        if not key:
            return None
        annotations = {}
        if some(self.rng, 0.1):
            annotations["kubefed.io/deleteoption"] = self.rng.choice((
                '{"propagationPolicy":"Background"}', '{"propagationPolicy":"Foreground"}', '{"gracePeriodSeconds":0}'))
        return self._put("create", key, Fed(self._spec(key), annotations))

    def _edit(self, what, change, types=None):
        key = self._object(types)
        if not key:
            return None
        fed = self.world.objects[key].copy()
        change(key, fed)
        if not some(self.rng, 0.1):
            self._mended(key, fed.spec)
        return self._put(what, key, fed)

    def edit_template(self):
        def change(key, fed):
            fed.spec["template"] = shapes.template(self.rng, key[0], key[2])
        return self._edit("edit the template of", change)

    def edit_placement(self):
        def change(key, fed):
            fed.spec["placement"] = shapes.placement(self.rng)
        return self._edit("edit the placement of", change)

    def edit_overrides(self):
        def change(key, fed):
            fed.spec.pop("overrides", None)
            if some(self.rng, 0.8):
                fed.spec["overrides"] = shapes.overrides(self.rng, key[0], fed.spec["template"])
            elif some(self.rng, 0.5):
                fed.spec["overrides"] = []
        return self._edit("edit the overrides of", change)

    def break_overrides(self):
        key = self._object()
        if not key:
            return None
        fed = self.world.objects[key].copy()
        fed.spec["overrides"] = shapes.broken_overrides(self.rng)
        return self._put("break the overrides of", key, fed)

    def touch(self):
        def change(key, fed):
            fed.annotations["soak-touched"] = str(self.rng.randint(0, 99))
        return self._edit("annotate", change)

    def toggle_retain(self):
        def change(key, fed):
            if not fed.spec.pop("retainReplicas", None):
                fed.spec["retainReplicas"] = True
        return self._edit("toggle retainReplicas of", change, ["deployments"])

    @staticmethod
    def _deletion(key, orphan, touches=()):
        return Step(f"delete {path(key)}{' leaving orphans' if orphan else ''}",
                    lambda driver: driver.delete(key, orphan), {key, *touches}, keys=[key])

    def delete(self):
        key = self._object()
        if not key:
            return None
        orphan = some(self.rng, 0.3)
        self.world.delete_object(key, orphan)
        return self._deletion(key, orphan)

    # -- namespaces

    def _namespace_key(self, federated=True):
        keys = [("namespaces", name, name) for name in self.world.namespaces]
        keys = [key for key in keys if (key in self.world.objects) == federated]
        return self.rng.choice(keys) if keys else None

    def create_namespace(self):
        if len(self.world.namespaces) >= MOST_NAMESPACES:
            return None
        self.world.namespace_count += 1
        name = f"soak-{self.world.namespace_count}"
        self.world.namespaces.append(name)
        return Step(f"create the host namespace {name}", lambda driver: driver.create_namespace(name), alone=True)

    def delete_namespace(self):
        if len(self.world.namespaces) < 3:
            return None
        name = self.rng.choice(self.world.namespaces)
        self.world.namespaces.remove(name)
        keys = self.world.keys(namespace=name)
        for key in keys:
            self.world.delete_object(key)
        return Step(f"delete the host namespace {name}", lambda driver: driver.delete_namespace(name, keys), alone=True,
                    keys=keys)

    def federate_namespace(self):
        key = self._namespace_key(federated=False)
        if not key:
            return None
        spec = {"placement": shapes.placement(self.rng, generous=True)}
        if some(self.rng, 0.5):
            spec["template"] = shapes.template(self.rng, "namespaces", key[2])
        return self._put("federate", key, Fed(spec), [("ns", key[1])])

    def unfederate_namespace(self):
        key = self._namespace_key()
        if not key:
            return None
        orphan = some(self.rng, 0.25)
        self.world.delete_object(key, orphan)
        return self._deletion(key, orphan, [("ns", key[1])])

    def place_namespace(self):
        key = self._namespace_key()
        if not key:
            return None
        fed = self.world.objects[key].copy()
        fed.spec["placement"] = shapes.placement(self.rng, generous=some(self.rng, 0.7))
        return self._put("edit the placement of", key, fed, [("ns", key[1])])

    def edit_namespace(self):
        key = self._namespace_key()
        if not key:
            return None
        fed = self.world.objects[key].copy()
        fed.spec["template"] = shapes.template(self.rng, "namespaces", key[2])
        fed.spec["overrides"] = shapes.overrides(self.rng, "namespaces", fed.spec["template"])
        self._mended(key, fed.spec)
        return self._put("edit template and overrides of", key, fed, [("ns", key[1])])

    # -- clusters, types

    def label_cluster(self):
        member = self.rng.choice(MEMBERS)
        labels = {key: self.rng.choice(values) for key, values in (("tier", shapes.TIERS), ("zone", shapes.ZONES))
                  if some(self.rng, 0.7)}
        self.world.set_cluster(member, labels=labels)
        registered = self.world.clusters[member].registered
        return Step(f"label cluster {member} {labels}",
                    lambda driver: registered and driver.label_cluster(member, labels), alone=True)

    def toggle_cluster(self):
        member = self.rng.choice(MEMBERS)
        registered = not self.world.clusters[member].registered
        if not registered and sum(c.registered for c in self.world.clusters.values()) < 3:
            return None
        self.world.set_cluster(member, registered=registered)
        labels = dict(self.world.clusters[member].labels)
        if registered:
            return Step(f"register cluster {member} again", lambda driver: driver.register(member, labels), alone=True)
        return Step(f"remove cluster {member}", lambda driver: driver.unregister(member), alone=True)

    def toggle_type(self):
        name = self.rng.choice(self.types + ["namespaces"])
        enabled = not self.world.enabled[name]
        self.world.enabled[name] = enabled
        return Step(f"{'enable' if enabled else 'disable'} type {TYPES[name].ftc}",
                    lambda driver: driver.enable(name, enabled), alone=True)

    # -- members

    def _operation(self, text, slot, operation, run, quiet=False):
        self.world.operate(slot, operation)
        touches = {slot[1:]} if quiet else {slot[1:], ("ns", slot[2])}
        return Step(f"{slot[0]}: {text} {path(slot[1:])}", run, touches, keys=[slot[1:]])

    def _patching(self, text, slot, operation, body, quiet=False):
        return self._operation(text, slot, operation, lambda driver: driver.patch(slot, body), quiet)

    def drift_data(self):
        slot = self._slot()
        if not slot:
            return None
        body = shapes.drift(self.rng, slot[1])
        return self._patching("change the content of", slot, "data", body, quiet=True)

    def drift_delete(self):
        slot = self._slot(self.types + (["namespaces"] if some(self.rng, 0.1) else []))
        return slot and self._operation("delete", slot, "delete", lambda driver: driver.delete_in_member(slot))

    def drift_unlabel(self):
        slot = self._slot()
        body = {"metadata": {"labels": {MANAGED: None}}}
        return slot and self._patching("remove the label of", slot, "unlabel", body)

    def drift_optout(self):
        slot = self._slot()
        body = {"metadata": {"labels": {MANAGED: "false"}}}
        return slot and self._patching("opt out", slot, "optout", body)

    def drift_optin(self):
        """The label "true" is what a member's watch sees; taking the label away is noticed at the next pass only."""
        slots = sorted(self.world.maybe_opted_out)
        slots = [slot for slot in slots if slot not in self.world.operations and slot[1:] in self.world.objects and
                 not self._is_lacking(slot)]
        if not slots:
            return None
        slot = self.rng.choice(slots)
        body = {"metadata": {"labels": {MANAGED: "true"}}}
        return self._patching("opt in", slot, "optin", body)

    def drift_metadata(self):
        slot = self._slot()
        if not slot:
            return None
        number = str(self.rng.randint(0, 99))
        body = {"metadata": {"labels": {"drift": number}, "annotations": {"soak-note": number}}}
        self.world.annotated.setdefault(slot, {})["soak-note"] = number
        return self._patching("label and annotate", slot, "meta", body, quiet=True)

    def drift_finalizer(self):
        slot = self._slot()
        return slot and self._operation("hold by a finalizer", slot, "finalizer", lambda driver: driver.hold(slot),
                                        quiet=True)

    def drift_scale(self):
        slot = self._slot(["deployments"]) if "deployments" in self.types else None
        if not slot:
            return None
        replicas = self.rng.randint(0, 4)
        self.world.scaled[slot] = replicas
        body = {"spec": {"replicas": replicas}}
        return self._patching(f"scale to {replicas}", slot, "scale", body, quiet=True)

    def _foreign(self, slot, opted_out):
        body = shapes.foreign(self.rng, slot[1], slot[3], opted_out)

        def run(driver):
            driver.create_in_member(slot, body)
        if opted_out:
            return self._operation("somebody creates and opts out", slot, "foreign-optout", run)
        return self._operation("somebody creates", slot, "foreign", run)

    def foreign_same_name(self):
        """An object that a federated one may want to have later (adoption)."""
        key = self._namespace_key(federated=False) if some(self.rng, 0.2) else self._free_key()
        if not key:
            return None
        slot = (self.rng.choice(MEMBERS), *key)
        if slot in self.world.operations or slot in self.world.maybe_opted_out or self._is_lacking(slot):
            return None
        return self._foreign(slot, some(self.rng, 0.2))

    def foreign_unrelated(self):
        """An object that must never be touched."""
        if not self.world.namespaces:
            return None
        self.world.foreign_count += 1
        type_name, namespace = self.rng.choice(self.types), self.rng.choice(self.world.namespaces)
        namespace = namespace if TYPES[type_name].namespaced else ""
        slot = (self.rng.choice(MEMBERS), type_name, namespace, f"soak-foreign-{self.world.foreign_count}")
        return None if self._is_lacking(slot) else self._foreign(slot, False)

    # -- faults

    def flap(self):
        member, how = self.rng.choice(MEMBERS), self.rng.choice(("hang", "refuse", "slow"))
        seconds = round(self.rng.uniform(1, 12), 1)
        return Step(f"flap {member}: {how} for {seconds} s", lambda driver: driver.flap(member, how, seconds),
                    {("flap", member)})

    def break_secret(self):
        """The token in a cluster's Secret is wrong for a while; connections that exist need not notice."""
        member, seconds = self.rng.choice(MEMBERS), round(self.rng.uniform(1, 6), 1)
        return Step(f"break the secret of {member} for {seconds} s",
                    lambda driver: driver.break_secret(member, seconds), {("secret", member)})

    def remove_definition(self):
        """A member loses the CRD of the custom resource, and with it all objects, until the round ends."""
        member = self.rng.choice(MEMBERS)
        if "gadgets" not in self.types or member in self.world.lacking:
            return None
        self.world.lacking.add(member)
        self.world.swept.add(member)
        return Step(f"{member}: delete the definition of gadgets", lambda driver: driver.remove_definition(member),
                    alone=True)

    def restart(self):
        how, down = self.rng.choice(("SIGKILL", "SIGTERM", "takeover")), self.rng.choice((0, 0, 1, 2))
        return Step(f"restart the controller manager with {how}, {down} s down",
                    lambda driver: driver.restart(how, down), alone=True)


def describe(fed):
    """The parts of a federated object that explain most."""
    placement = fed.spec.get("placement") or {}
    where = placement.get("clusterSelector")
    if "clusters" in placement:
        where = [item["name"] for item in placement["clusters"]]
    overridden = [item["clusterName"] for item in fed.spec.get("overrides") or []]
    return f" in {where}" + (f", overrides for {overridden}" if overridden else "") + \
        (", retainReplicas" if fed.spec.get("retainReplicas") else "")
