"""kubefedctl plan and the controller agree: a few hundred random objects are planned, then the controller does its work."""
import collections
import json
import os
import random

from harness import (FCM, FDEPLOY, FNS, FSVC, MANAGED, eventually, expect, k, settle, stays, test)
from test_alone import GARBAGE, HEARTBEATS, SLOW, plane_of

MEMBERS = ("member1", "member2")
KINDS = {"configmaps": (FCM, k.CONFIGMAPS, "FederatedConfigMap"), "deployments.apps": (FDEPLOY, k.DEPLOYMENTS, "FederatedDeployment"),
         "services": (FSVC, k.SERVICES, "FederatedService")}
OBJECTS, NAMESPACES = 240, 6
SERVER_FIELDS = ("resourceVersion", "managedFields", "generation", "selfLink", "uid", "creationTimestamp")
# Written by controllers of the member at any time, or drawn anew by each request.
OF_MEMBER = ("deployment.kubernetes.io/revision",)


def template(rng, kind):
    labels = rng.choice([{}, {"app": "a"}, {"app": "b", "tier": rng.choice("xyz")}])
    if kind == "configmaps":
        body = {"data": {f"k{n}": str(rng.randrange(5)) for n in range(rng.randrange(4))}}
    elif kind == "services":
        body = {"spec": {"type": rng.choice(["ClusterIP", "NodePort"]), "selector": {"a": rng.choice("bc")},
                         "ports": [{"name": "http", "port": rng.choice([80, 8080])}]}}
    else:
        body = {"spec": {"replicas": rng.randrange(4), "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": rng.choice(["i", "j"])}]}}}}
    if labels:
        body["metadata"] = {"labels": labels}
    return body


def override(rng, kind):
    general = [{"path": "/metadata/annotations", "op": "add", "value": {"note": rng.choice("ab")}},
               {"path": "/metadata/labels/site", "op": "add", "value": "s"},
               {"path": "/nowhere/at/all", "op": "remove"}, {"path": "/kind", "value": "Other"}]
    own = {"configmaps": [{"path": "/data/extra", "op": "add", "value": "1"}, {"path": "/data", "value": {"all": "new"}}],
           "services": [{"path": "/spec/ports/0/port", "value": 81}, {"path": "/spec/type", "value": "Nonsense"}],
           "deployments.apps": [{"path": "/spec/replicas", "value": rng.randrange(5)},
                                {"path": "/spec/template/spec/containers/0/image", "value": "z"},
                                {"path": "/spec/replicas", "value": -1}]}[kind]
    return rng.choice(own * 3 + general)


def spec(rng, kind):
    placement = rng.choice([{"clusters": [{"name": m} for m in MEMBERS]}, {"clusterSelector": {}}, {"clusters": []},
                            {"clusters": [{"name": rng.choice(MEMBERS)}]}, {"clusters": [{"name": "unknown"}]}, {},
                            {"clusterSelector": {"matchLabels": {"no": "body"}}},
                            {"clusterSelector": {"matchExpressions": [{"key": "k", "operator": "Bad"}]}}
                            if rng.random() < 0.3 else {"clusterSelector": {}}])
    result = {"template": template(rng, kind), "placement": placement}
    if rng.random() < 0.4:
        result["overrides"] = [{"clusterName": m, "clusterOverrides": [override(rng, kind)]}
                               for m in MEMBERS if rng.random() < 0.7]
    if kind == "deployments.apps" and rng.random() < 0.4:
        result["retainReplicas"] = True
    return result


class World:
    """The objects of the test, on the host and in members, and what is done to them."""

    def __init__(self, t, rng):
        self.t, self.rng = t, rng
        # The last one leaves member1 later.
        self.namespaces = [t.namespace(clusters=rng.choice([MEMBERS, MEMBERS, ("member1",)])) for _ in range(NAMESPACES - 1)]
        self.namespaces.append(t.namespace())
        self.keys = []

    def create(self, count):
        for _ in range(count):
            kind, namespace = self.rng.choice(list(KINDS)), self.rng.choice(self.namespaces)
            name = f"o{len(self.keys)}"
            self.t.host.create(KINDS[kind][0], namespace, {"metadata": {"name": name}, "spec": spec(self.rng, kind)})
            self.keys.append((kind, namespace, name))

    def strangers(self, count):
        """Objects in members that nobody federated yet."""
        for number in range(count):
            kind, namespace = self.rng.choice(list(KINDS)), self.rng.choice(self.namespaces)
            body = template(self.rng, kind)
            body.setdefault("metadata", {})["name"] = f"o{len(self.keys) + number}"
            opt_out = self.rng.random() < 0.3
            if opt_out:
                body["metadata"].setdefault("labels", {})[MANAGED] = "false"
            self.t.members["member1"].create(KINDS[kind][1], namespace, body)
            self.t.host.create(KINDS[kind][0], namespace,
                               {"metadata": {"name": body["metadata"]["name"]}, "spec": spec(self.rng, kind)})
        self.keys = sorted({(kind, o["metadata"]["namespace"], o["metadata"]["name"]) for kind, (fed, _, _) in KINDS.items()
                            for namespace in self.namespaces for o in self.t.host.list(fed, namespace)})

    def change_on_host(self):
        for kind, namespace, name in self.rng.sample(self.keys, len(self.keys) // 2):
            fed = KINDS[kind][0]
            if self.rng.random() < 0.15:
                if self.rng.random() < 0.3:
                    self.t.host.patch(fed, namespace, name, {"metadata": {"annotations": {"kubefed.io/orphan": "true"}}})
                self.t.host.delete(fed, namespace, name)
                continue
            live = self.t.host.get(fed, namespace, name)
            live["spec"] = spec(self.rng, kind)
            self.t.host.replace(fed, namespace, live)
        last = self.namespaces[-1]
        self.t.host.patch(FNS, last, last, {"spec": {"placement": {"clusters": [{"name": "member2"}]}}})

    def drift(self):
        for member in self.t.members.values():
            for kind, (_, target, _) in KINDS.items():
                for namespace in self.namespaces:
                    for obj in self.present(member, target, namespace):
                        if self.rng.random() < 0.25:
                            self.disturb(member, kind, target, namespace, obj["metadata"]["name"])

    @staticmethod
    def present(member, target, namespace):
        return member.list(target, namespace, f"{MANAGED}=true") if member.find(k.NAMESPACES, None, namespace) else []

    def disturb(self, member, kind, target, namespace, name):
        deed = self.rng.randrange(6)
        if deed == 0:
            member.delete(target, namespace, name)
        elif deed == 1:
            member.patch(target, namespace, name, {"metadata": {"labels": {MANAGED: self.rng.choice([None, "false"])}}})
        elif deed == 2:
            member.patch(target, namespace, name, {"metadata": {"labels": {"mine": "x"}, "annotations": {"mine": "y"}}})
        elif kind == "configmaps":
            member.patch(target, namespace, name, {"data": {"drift": str(self.rng.randrange(9))}})
        elif kind == "deployments.apps":
            member.patch(target, namespace, name, {"spec": self.rng.choice([{"replicas": 7}, {"paused": True}])})
        else:
            member.patch(target, namespace, name, {"spec": {"sessionAffinity": "ClientIP"}})

    def live(self, key, member):
        api = self.t.host if member == "host" else self.t.members[member]
        return api.find(KINDS[key[0]][1], key[1], key[2])


def presentable(obj):
    """What plan shows of an object, without what members' controllers add at any time."""
    result = json.loads(json.dumps(obj))
    result.pop("status", None)
    result.pop("apiVersion", None), result.pop("kind", None)
    for field in SERVER_FIELDS:
        result["metadata"].pop(field, None)
    annotations = result["metadata"].get("annotations", {})
    for name in OF_MEMBER:
        annotations.pop(name, None)
    if not annotations:
        result["metadata"].pop("annotations", None)
    for name in ("clusterIP", "clusterIPs"):
        result.get("spec", {}).pop(name, None)
    for port in result.get("spec", {}).get("ports", []) or []:
        port.pop("nodePort", None)
    return result


def plans(t, plane, world):
    """{(kind, namespace, name): planned object}, from one file with all documents; those that are being deleted one by one."""
    path = os.path.join(t.env.folder, t.unique("plan") + ".json")
    items, planned = [], []
    for kind, namespace, name in world.keys:
        obj = t.host.find(KINDS[kind][0], namespace, name)
        if obj and obj["metadata"].get("deletionTimestamp"):
            out = plane.ctl("plan", kind, name, "-n", namespace, "-o", "json")
            planned += json.loads(out)["objects"]
        elif obj:
            items.append({"apiVersion": "types.kubefed.io/v1beta1", "kind": KINDS[kind][2], **obj})
    with open(path, "w") as f:
        json.dump({"apiVersion": "v1", "kind": "List", "items": items}, f)
    planned += json.loads(plane.ctl("plan", "-f", path, "-o", "json", timeout=300))["objects"]
    return {(o["type"], o["namespace"], o["name"]): o for o in planned}


def check_cluster(world, key, entry, before, problems):
    """What became of one object in one member, held against what was planned."""
    live = world.live(key, entry["name"])
    if entry["name"] == "member1" and key[1] == world.namespaces[-1]:
        if live:  # its whole namespace goes from there
            problems.append(f"{key} is still in {entry['name']}")
        return
    action = entry["action"]
    was = f"{key} in {entry['name']}: planned {action}, "
    if action in ("create", "update", "adopt"):
        if not live:
            problems.append(was + "is not there")
        elif presentable(live) != presentable(entry["after"]) and "does not exist there yet" not in entry.get("message", ""):
            problems.append(was + f"wanted {presentable(entry['after'])}, is {presentable(live)}")
    elif action == "delete" and live:
        problems.append(was + "is still there")
    elif action == "release" and (not live or MANAGED in live["metadata"].get("labels", {})):
        problems.append(was + f"is {live}")
    elif action in ("unchanged", "none", "problem"):
        now = live and presentable(live)
        if now != before.get((key, entry["name"])):
            problems.append(was + f"was {before.get((key, entry['name']))}, is {now}")


def check_status(t, key, planned, problems):
    obj = t.host.find(KINDS[key[0]][0], key[1], key[2])
    if not obj:
        return
    shown = {c["name"]: c.get("status", "") for c in obj.get("status", {}).get("clusters", [])}
    for entry in planned["clusters"]:
        wanted = entry.get("status", "")
        if wanted and wanted != "WaitingForRemoval" and shown.get(entry["name"]) != wanted:
            problems.append(f"{key} in {entry['name']}: planned status {wanted}, is {shown}")
    reason = {c["type"]: c.get("reason", "") for c in obj["status"].get("conditions", [])}.get("Propagation", "")
    if planned.get("reason", "") and planned["reason"] != reason:
        problems.append(f"{key}: planned reason {planned['reason']}, is {reason}")


def disagreements(world, planned, before):
    problems = []
    for key, plan in planned.items():
        for entry in plan["clusters"]:
            check_cluster(world, key, entry, before, problems)
        check_status(world.t, key, plan, problems)
    return problems[:10]


@test(alone=True)
def plan_and_controller_agree(t):
    """Random federated objects, drift and strangers in members: each plan is what the controller then does."""
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    plane = plane_of(t, SLOW)
    apis = [t.host, *t.members.values()]
    with plane.running():
        world = World(t, rng)
        world.create(OBJECTS // 2)
        for namespace in world.namespaces:
            eventually(lambda n=namespace: expect(bool(t.host.get(FNS, n, n).get("status")), True, "status"), 90)
        settle(apis, 3, ignore=HEARTBEATS | GARBAGE, timeout=120)
    world.create(OBJECTS // 2)
    world.strangers(30)
    world.change_on_host()
    world.drift()
    settle(apis, 2, ignore=HEARTBEATS | GARBAGE, timeout=60)
    planned = plans(t, plane, world)
    last = json.loads(plane.ctl("plan", "namespaces", world.namespaces[-1], "-o", "json"))["objects"][0]["clusters"]
    expect({c["name"]: c["action"] for c in last}, {"host": "none", "member1": "delete", "member2": "unchanged"},
           "plan of a namespace that leaves member1")
    before = {(key, m): presentable(o) for key in planned for m in ("host", *t.members) for o in [world.live(key, m)] if o}
    with plane.running():
        plane.wait_ready(*MEMBERS)
        settle(apis, 5, ignore=HEARTBEATS | GARBAGE, timeout=180)
        eventually(lambda: expect(disagreements(world, planned, before), [], f"seed {seed}"), 120)
        stays(lambda: expect(disagreements(world, planned, before), [], f"seed {seed}"), 3)
    actions = collections.Counter(entry["action"] for plan in planned.values() for entry in plan["clusters"])
    for action in ("create", "update", "adopt", "delete", "unchanged", "none", "problem"):
        assert actions[action], f"seed {seed}: nothing was planned as {action}: {actions}"
