"""Replica scheduling (controllers.md 8, docs/scheduling.md): ReplicaSchedulingPreferences over real clusters.

A type made for the test, whose objects have a scale sub-resource, stands for a workload in most tests: its replicas "run" as soon
as the test writes status.readyReplicas, so that no pods are needed. Such tests run alone: the shared control plane looks at the
preferences of all namespaces, and would say of theirs that it does not know the type.
"""
import json
import urllib.request

from harness import FDEPLOY, GADGET_SCHEMA, crd, eventually, expect, k, stays, test
from nodes import Nodes, tolerations

RSP = "scheduling.kubefed.io/v1alpha1/replicaschedulingpreferences"
MEMBERS = ("member1", "member2", "member3")
# Clusters that tests lose refuse connections, which shows at once; an API server that is only busy is not lost.
FAST = {"clusterHealthCheck": {"period": "1s", "timeout": "10s"},
        "controllerDuration": {"availableDelay": "1s", "unavailableDelay": "2s"}}
REPLICAS = "/spec/replicas"


def deployment(namespace, app="web", requests=None, tolerations=None, replicas=1):
    spec = {"containers": [{"name": "c", "image": "nginx:1.25", "resources": {"requests": requests or {}}}]}
    if tolerations:
        spec["tolerations"] = tolerations
    return {"metadata": {"labels": {"app": app}}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": app}},
        "template": {"metadata": {"labels": {"app": app}}, "spec": spec}}}


def shares_of(fed):
    """{cluster: replicas} as placement and overrides of a federated object say; they must agree."""
    placed = {c["name"] for c in fed["spec"]["placement"].get("clusters") or []}
    out = {}
    for item in fed["spec"].get("overrides") or []:
        for op in item.get("clusterOverrides") or []:
            if op["path"] == REPLICAS:
                out[item["clusterName"]] = op["value"]
    expect(set(out), placed, "clusters with an override of the replicas, and clusters of the placement")
    return out


def condition(obj, kind):
    c = k.condition(obj, kind)
    return (c.get("status"), c.get("reason"), c.get("message"))


def set_preference(t, namespace, name, spec):
    if t.host.find(RSP, namespace, name):
        t.edit(RSP, namespace, name, lambda obj: obj.update(spec=spec))
    else:
        t.host.create(RSP, namespace, {"metadata": {"name": name}, "spec": spec})


def caches_are_full(plane, name, members):
    """Scheduling waits a few seconds for what members have, and goes on with what it knows then; no test here is about that."""
    port = plane.controller.log().split("Serving health on port ")[1].split()[0]

    def full():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/debug/clusters", timeout=20) as answer:
                clusters = json.load(answer)["clusters"]
        except OSError as e:    # a busy machine may be late once
            raise AssertionError(f"no answer: {e}") from e
        states = {c["name"]: {cache["type"]: cache["state"] for cache in c.get("caches") or []}.get(name) for c in clusters}
        expect(states, {member: "synced" for member in members}, f"caches of {name}")
    eventually(full)


class Workloads:
    """A private control plane with a scalable type, and members in which objects of it run when the test says so."""

    def __init__(self, t, members=MEMBERS, config=None, proxied=(), arguments=()):
        self.t, self.members = t, members
        self.plane, self.gadgets, self.proxies = t.private(members, config={**FAST, **(config or {})}, proxied=proxied,
                                                           start=False)
        self.namespace = self.plane.namespace
        for member in members:
            def scale(definition):
                definition["spec"]["versions"][0]["subresources"]["scale"] = {
                    "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
            t.edit(k.CRDS, None, f"{self.gadgets.plural}.{self.gadgets.group}", scale, t.env.apis[member])
        self.plane.start(arguments=arguments or ("-v", "2"))
        self.plane.wait_ready(*members)
        self.plane.wait_running(self.gadgets.ftc)
        caches_are_full(self.plane, self.gadgets.ftc, members)
        self.kind = "Federated" + self.gadgets.kind

    def create(self, name="web", clusters=(), **spec):
        self.t.federate(self.gadgets.fed, self.namespace, name, {"spec": {"replicas": 1}}, clusters=clusters, **spec)

    def prefer(self, total, name="web", **spec):
        body = {"targetKind": self.kind, "totalReplicas": total, **spec}
        set_preference(self.t, self.namespace, name, body)

    def preference(self, name="web"):
        return self.t.host.get(RSP, self.namespace, name)

    def shares(self, name="web"):
        return shares_of(self.gadgets.get(name))

    def wait(self, expected, name="web", timeout=90):
        eventually(lambda: expect(self.shares(name), expected, f"shares of {name}"), timeout)

    def run(self, name="web", members=None):
        """Whatever was given to the members runs there. It is in all of them before it runs in one, which may have more move at once."""
        def given():
            shares = {m: n for m, n in self.shares(name).items() if not members or m in members}
            found = {m: self.t.env.apis[m].get(self.gadgets.target, self.namespace, name)["spec"].get("replicas") for m in shares}
            expect(found, shares, "replicas in the members")
            return shares
        for member, replicas in eventually(given).items():
            self.t.env.apis[member].patch(self.gadgets.target, self.namespace, name,
                                          {"status": {"replicas": replicas, "readyReplicas": replicas}}, "status")

    def scheduled(self, status, reason, part="", name="web"):
        def says():
            got = condition(self.preference(name), "Scheduled")
            expect(got[:2], (status, reason), f"condition Scheduled of {name} ({got[2]})")
            assert part in got[2], got[2]
        eventually(says)

    def doubted(self, reason, part, name="web"):
        def says():
            got = condition(self.preference(name), "Valid")
            expect(got[:2], ("False", reason), f"condition Valid of {name} ({got[2]})")
            assert part in got[2], got[2]
        eventually(says)


@test(alone=True, smoke=True)
def replicas_are_divided_by_weight(t):
    """api-and-cli.md 7.19: 9 replicas with weights 1 and 2; every candidate is placed, what has no preference with 0."""
    w = Workloads(t)
    w.create(overrides=[{"clusterName": "member2", "clusterOverrides": [{"path": "/spec/color", "op": "add", "value": "red"}]}])
    w.prefer(9, clusters={"member1": {"weight": 1}, "member2": {"weight": 2}})
    w.wait({"member1": 3, "member2": 6, "member3": 0})
    expect(w.gadgets.get("web")["spec"]["overrides"][0], {"clusterName": "member2", "clusterOverrides": [
        {"path": "/spec/color", "op": "add", "value": "red"}, {"path": REPLICAS, "value": 6}]}, "the override of somebody else")
    w.scheduled("True", "Scheduled", "9 of 9")
    w.run()
    for member, replicas in (("member1", 3), ("member2", 6), ("member3", 0)):
        expect(t.env.apis[member].get(w.gadgets.target, w.namespace, "web")["spec"]["replicas"], replicas, member)


@test(alone=True)
def a_scheduled_object_is_left_alone(t):
    """No write without a difference: neither the object nor the preference is written again, also by another controller."""
    w = Workloads(t, members=("member1", "member2"))
    w.create()
    w.prefer(7)
    w.scheduled("True", "Scheduled")
    w.run()
    eventually(lambda: expect(k.condition(w.gadgets.get("web"), "Propagation").get("status"), "True", "propagated"))

    def versions():
        preference = w.preference()
        return (w.gadgets.get("web")["spec"], preference["status"], preference["metadata"]["resourceVersion"])
    before = versions()
    stays(lambda: expect(versions(), before, "the object's specification and the preference's version"), 2)
    w.plane.controller.stop()
    w.plane.start(arguments=("-v", "2"))
    w.plane.wait_running(w.gadgets.ftc)
    stays(lambda: expect(versions(), before, "the same after a restart"), 3)


@test(alone=True)
def a_changed_preference_is_followed(t):
    w = Workloads(t, members=("member1", "member2"))
    w.create()
    w.prefer(10, clusters={"*": {"weight": 1}})
    w.wait({"member1": 5, "member2": 5})
    w.run()
    w.prefer(10, clusters={"member1": {"weight": 1, "maxReplicas": 2}, "member2": {"weight": 1}})
    w.wait({"member1": 2, "member2": 8})
    w.run()
    w.prefer(10, rebalance=False, clusters={"*": {"weight": 1}})
    stays(lambda: expect(w.shares(), {"member1": 2, "member2": 8}, "what runs stays where it runs"), 2)
    w.prefer(10, rebalance=True, clusters={"*": {"weight": 1}})
    w.wait({"member1": 5, "member2": 5})


@test(alone=True)
def deleting_the_preference_leaves_the_shares(t):
    w = Workloads(t, members=("member1", "member2"))
    w.create()
    w.prefer(4)
    w.wait({"member1": 2, "member2": 2})
    t.host.delete(RSP, w.namespace, "web")
    stays(lambda: expect(w.shares(), {"member1": 2, "member2": 2}, "shares without preference"), 1)


@test(alone=True)
def bad_input_is_named_on_the_preference(t):
    """Event and condition name the field; nothing is written, and what was placed stays."""
    w = Workloads(t, members=("member1", "member2"))
    w.prefer(4)
    w.scheduled("False", "TargetNotFound", f'no {w.kind} "{w.namespace}/web"')
    w.create()
    w.wait({"member1": 2, "member2": 2})
    w.scheduled("True", "Scheduled")
    for field, spec in (("spec.totalReplicas", {"total": -4}),
                        ("spec.clusters[member1].weight", {"total": 4, "clusters": {"member1": {"weight": -1}}}),
                        ("spec.clusters[member2].maxReplicas", {"total": 4, "clusters": {
                            "member2": {"minReplicas": 5, "maxReplicas": 2}}}),
                        ("spec.strategy", {"total": 4, "strategy": "Magic"}),
                        ("spec.failover.after", {"total": 4, "failover": {"after": "soon"}})):
        w.prefer(**spec)
        w.scheduled("False", "InvalidSpec", field)
        w.doubted("InvalidSpec", field)
        expect(w.shares(), {"member1": 2, "member2": 2}, "what was placed")
    eventually(lambda: expect(bool([e for e in w.plane.events("web", w.namespace, "InvalidSpec")
                                    if "spec.strategy" in e["message"]]), True, "event InvalidSpec"))
    w.prefer(4, targetKind="FederatedNonsense")
    w.scheduled("False", "TypeNotEnabled", "spec.targetKind")


@test(alone=True)
def limits_that_contradict_each_other_are_named(t):
    w = Workloads(t, members=("member1", "member2"))
    w.create()
    w.prefer(4, clusters={"*": {"weight": 1}, "atlantis": {"weight": 1}})
    w.doubted("Unfulfillable", "spec.clusters[atlantis]")
    w.wait({"member1": 2, "member2": 2})
    w.prefer(4, clusters={"*": {"minReplicas": 3}})
    w.doubted("Unfulfillable", "minReplicas of the ready clusters add up to 6")
    w.prefer(4, clusters={"*": {"weight": 1, "maxReplicas": 1}})
    w.doubted("Unfulfillable", "maxReplicas of the ready clusters add up to 2")
    w.wait({"member1": 1, "member2": 1})
    w.prefer(4)
    eventually(lambda: expect(condition(w.preference(), "Valid")[:2], ("True", "Valid"), "condition Valid"))
    w.wait({"member1": 2, "member2": 2})


@test(alone=True)
def an_intersection_limits_the_clusters(t):
    w = Workloads(t, members=("member1", "member2"))
    t.host.patch(k.KFC, w.namespace, "member1", {"metadata": {"labels": {"zone": "a"}}})
    w.create(selector={"matchLabels": {"zone": "a"}})
    w.prefer(4, intersectWithClusterSelector=True)
    w.wait({"member1": 4})
    t.host.patch(k.KFC, w.namespace, "member2", {"metadata": {"labels": {"zone": "a"}}})
    eventually(lambda: expect(set(w.shares()), {"member1", "member2"}, "clusters after a label"))
    t.host.patch(w.gadgets.fed, w.namespace, "web", {"spec": {"placement": {"clusterSelector": {"matchLabels": {"zone": "b"}}}}})
    w.scheduled("False", "NoSelectedClusters")
    expect(set(w.shares()), {"member1", "member2"}, "clusters of an empty intersection (Q-38)")


@test(alone=True)
def replicas_of_a_lost_cluster_move_and_come_back(t):
    """After unavailableDelay they run elsewhere; with failover they return when the cluster has been back long enough."""
    w = Workloads(t, proxied=("member3",))
    w.create()
    w.prefer(9, failover={"after": "2s", "returnAfter": "2s"})
    w.wait({"member1": 3, "member2": 3, "member3": 3})
    w.run()
    w.proxies["member3"].refuse()
    eventually(lambda: expect(sorted(w.shares()), ["member1", "member2"], "clusters without member3"))
    expect(sum(w.shares().values()), 9, "replicas elsewhere")
    w.run()
    w.proxies["member3"].pass_on()
    w.wait({"member1": 3, "member2": 3, "member3": 3})
    w.run()
    eventually(lambda: expect(w.preference()["status"].get("beforeLoss"), None, "memory of the shares before"))


@test(alone=True)
def no_more_replicas_move_at_once_than_allowed(t):
    w = Workloads(t, proxied=("member3",))
    w.create()
    w.prefer(12, failover={"after": "1s", "returnAfter": "1s", "maxMoved": 2})
    w.wait({"member1": 4, "member2": 4, "member3": 4})
    w.run()
    w.proxies["member3"].refuse()
    for left in (2, 0):
        eventually(lambda n=left: expect(w.shares().get("member3", 0), n, "replicas that are left to the lost cluster"))
        stays(lambda n=left: expect(w.shares().get("member3", 0), n, "while those that moved do not run"), 1)
        expect(sum(w.shares().values()), 12, "all replicas")
        w.run(members=("member1", "member2"))
    eventually(lambda: expect(sorted(w.shares()), ["member1", "member2"], "clusters in the end"))


@test(alone=True)
def nothing_moves_when_all_clusters_seem_lost(t):
    w = Workloads(t, members=("member1", "member2"), proxied=("member1", "member2"))
    w.create()
    w.prefer(4, failover={"after": "5s", "returnAfter": "10s"})
    w.wait({"member1": 2, "member2": 2})
    w.run()
    for proxy in w.proxies.values():
        proxy.refuse()
    w.scheduled("False", "NoReadyClusters")
    stays(lambda: expect(w.shares(), {"member1": 2, "member2": 2}, "shares while all seem lost"), 6)
    for proxy in w.proxies.values():
        proxy.pass_on()
    w.scheduled("True", "Scheduled")
    expect(w.shares(), {"member1": 2, "member2": 2}, "shares afterwards")


@test(alone=True)
def the_gate_keeps_scheduling_off(t):
    config = {"featureGates": [{"name": "SchedulerPreferences", "configuration": "Disabled"}]}
    w = Workloads(t, members=("member1",), config=config)
    w.create(clusters=("member1",))
    w.prefer(4)
    eventually(lambda: expect(k.condition(w.gadgets.get("web"), "Propagation").get("status"), "True", "propagated"))
    stays(lambda: expect(w.gadgets.get("web")["spec"].get("overrides"), None, "overrides"), 1)


@test(alone=True)
def scheduling_follows_the_type(t):
    """It begins when the type is enabled and ends when it is disabled."""
    w = Workloads(t, members=("member1", "member2"))
    t.host.patch(k.FTC, w.namespace, w.gadgets.ftc, {"spec": {"propagation": "Disabled"}})
    w.plane.wait_running(w.gadgets.ftc, state="NotRunning")
    w.create()
    w.prefer(4)
    w.scheduled("False", "TypeNotEnabled")
    t.host.patch(k.FTC, w.namespace, w.gadgets.ftc, {"spec": {"propagation": "Enabled"}})
    w.wait({"member1": 2, "member2": 2})
    t.host.patch(k.FTC, w.namespace, w.gadgets.ftc, {"spec": {"propagation": "Disabled"}})
    w.scheduled("False", "TypeNotEnabled")


@test(smoke=True)
def a_deployment_is_scheduled(t):
    t.main()
    namespace = t.namespace(clusters=("member1", "member2", "host"))
    t.federate(FDEPLOY, namespace, "web", deployment(namespace), clusters=())
    t.host.create(RSP, namespace, {"metadata": {"name": "web"}, "spec": {
        "targetKind": "FederatedDeployment", "totalReplicas": 9, "clusters": {"member1": {"weight": 1}, "member2": {"weight": 2}}}})
    eventually(lambda: expect(shares_of(t.host.get(FDEPLOY, namespace, "web")), {"host": 0, "member1": 3, "member2": 6},
                              "shares"))
    for member, replicas in (("member1", 3), ("member2", 6)):
        eventually(lambda m=member, n=replicas: expect(
            t.env.apis[m].get(k.DEPLOYMENTS, namespace, "web")["spec"]["replicas"], n, f"replicas in {m}"))


@test(alone=True)
def pods_that_never_fit_go_elsewhere_though_their_workload_says_nothing(t):
    """A ReplicaSet of which no pod is ready does not change after its creation: that it was created is what scheduling learns."""
    plane, _, _ = t.private(("member1", "member2"), config=FAST)
    plane.ctl("enable", "replicasets.apps")
    plane.wait_running("replicasets.apps")
    fed, namespace = k.FED + "replicasets", plane.namespace
    nodes = {m: Nodes(t, m, namespace, unschedulable_for=70) for m in ("member1", "member2")}
    nodes["member2"].add("a", cpu="16", memory="64Gi")
    for member in nodes.values():
        member.start()

    def runs(name, total, clusters, shares):
        t.federate(fed, namespace, name, deployment(namespace, name, {"cpu": "1"}, tolerations(namespace)), clusters=())
        set_preference(t, namespace, name, {"targetKind": "FederatedReplicaSet", "totalReplicas": total, "clusters": clusters})
        eventually(lambda: expect(shares_of(t.host.get(fed, namespace, name)), shares, f"shares of {name}"))
        eventually(lambda: expect(t.env.apis["member2"].get("apps/v1/replicasets", namespace, name)["status"].get("readyReplicas"),
                                  total, f"ready replicas of {name} in member2"))
        expect(shares_of(t.host.get(fed, namespace, name)), shares, f"shares of {name} in the end")
    # The first preference has caches of pods filled, and all others looked at when they are.
    runs("first", 1, {"member2": {"weight": 1}}, {"member1": 0, "member2": 1})
    runs("web", 4, {"member1": {"weight": 10000}, "member2": {"weight": 1}}, {"member1": 0, "member2": 4})


class Late(Workloads):
    """Like Workloads, before the definition of the type has reached the members."""

    def __init__(self, t, members):
        self.t, self.members = t, members
        self.plane, self.gadgets, self.proxies = t.private(members, config=FAST, missing_in=members)
        self.namespace = self.plane.namespace
        self.kind = "Federated" + self.gadgets.kind

    def install(self, member):
        definition = crd(self.gadgets.group, "v1", self.gadgets.plural, self.gadgets.kind, GADGET_SCHEMA)
        definition["spec"]["versions"][0]["subresources"]["scale"] = {
            "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
        self.t.env.apis[member].create(k.CRDS, None, definition)


@test(alone=True)
def a_definition_may_reach_the_members_after_the_type_was_enabled(t):
    """That its objects have a replica count is found out as soon as a member serves them."""
    w = Late(t, ("member1", "member2"))
    w.create()
    w.prefer(4, rebalance=True)     # the first of the two that serves them may get all until the other does
    w.scheduled("False", "TypeNotEnabled")
    for member in w.members:
        w.install(member)
    w.wait({"member1": 2, "member2": 2}, timeout=60)
    w.run()
    w.prefer(4, clusters={"member1": {"weight": 1}}, rebalance=True)
    w.wait({"member1": 4, "member2": 0})
