"""Scheduling from its edges: switches, other types, old and open definitions, room that is not what it seems, hostile preferences."""
import contextlib

from harness import FDEPLOY, FNS, expect, eventually, k, stays, test
from nodes import PODS, Nodes, time_text, tolerations
from refusals import refuse_status
from test_fights import metrics
from test_hostile import VALUES
from test_scheduling import FAST, REPLICAS, RSP, Workloads, caches_are_full, condition, deployment, set_preference, shares_of
from test_scheduling_room import MEMBERS, Scene

DEFINITION = "replicaschedulingpreferences.scheduling.kubefed.io"
SELECTED = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}}
HUGE = 2 ** 63 - 1


def quiet_main(t):
    """The shared control plane has been there, and with it its definitions, but its controller manager does not run."""
    if not t.env.stop_main():
        t.main()
    return t.env.stop_main()


def federate_namespace(t, w, placement):
    """The FederatedNamespace of a private control plane; nobody may take it over in the end."""
    def drop():
        w.plane.controller.close()
        t.host.patch(FNS, w.namespace, w.namespace, {"metadata": {"finalizers": None}})
        t.host.delete(FNS, w.namespace, w.namespace)
    t.host.create(FNS, w.namespace, {"metadata": {"name": w.namespace}, "spec": {"placement": placement}})
    t.cleanup(drop)


def decided(t, namespace, name="web"):
    """Waits until the preference's status is about its present specification; returns the preference."""
    def is_seen():
        obj = t.host.get(RSP, namespace, name)
        expect(obj.get("status", {}).get("observedGeneration"), obj["metadata"]["generation"], f"generation seen of {name}")
        return obj
    return eventually(is_seen)


def override(cluster, *ops):
    return {"clusterName": cluster, "clusterOverrides": list(ops)}


# ---- switches

@test(alone=True)
def the_list_of_a_federated_namespace_counts(t):
    """Q-37: an intersection honours the clusters that the FederatedNamespace names."""
    quiet_main(t)
    w = Workloads(t, members=MEMBERS)
    federate_namespace(t, w, {"clusters": [{"name": "member1"}]})
    w.create(selector={})
    w.prefer(4, intersectWithClusterSelector=True)
    w.wait({"member1": 4})
    t.host.patch(FNS, w.namespace, w.namespace, {"spec": {"placement": {"clusters": [{"name": "member1"}, {"name": "member2"}]}}})
    eventually(lambda: expect(set(w.shares()), {"member1", "member2"}, "clusters when the namespace is in one more"))


@test(alone=True)
def the_list_of_a_federated_namespace_can_be_ignored_as_before(t):
    """Q-37, Q-38 with WholeNamespacePlacement=false: only its selector counts, and without one the intersection is empty."""
    quiet_main(t)
    w = Workloads(t, members=MEMBERS, arguments=("-v", "2", "--behavior", "WholeNamespacePlacement=false"))
    t.host.patch(k.KFC, w.namespace, "member2", {"metadata": {"labels": {"zone": "a"}}})
    federate_namespace(t, w, {"clusters": [{"name": "member1"}]})
    w.create(selector={})
    before = w.gadgets.get("web")["spec"]
    w.prefer(4, intersectWithClusterSelector=True)
    w.scheduled("False", "NoSelectedClusters")
    expect(w.gadgets.get("web")["spec"], before, "the specification")
    t.host.patch(FNS, w.namespace, w.namespace, {"spec": {"placement": {"clusterSelector": {"matchLabels": {"zone": "a"}}}}})
    w.wait({"member2": 4})


def weights_after_equal_shares(t, w):
    """8 replicas, first in equal shares, then 1:3 without rebalance: what runs decides. Returns a function for the second step."""
    t.federate(w.gadgets.fed, w.namespace, "web", {"spec": SELECTED}, clusters=())
    w.prefer(8)
    w.wait({"member1": 4, "member2": 4})
    for member in MEMBERS:
        eventually(lambda m=member: expect(w.gadgets.in_member(m, "web")["spec"].get("replicas"), 4, f"replicas in {m}"))

    def change(one, two):
        w.prefer(8, clusters={"member1": {"weight": 1}, "member2": {"weight": 3}})
        decided(t, w.namespace)
        w.wait({"member1": one, "member2": two})
        stays(lambda: expect(w.shares(), {"member1": one, "member2": two}, "shares"), 1)
    return change


@test(alone=True)
def replicas_that_start_stay_where_they_start(t):
    w = Workloads(t, members=MEMBERS)
    weights_after_equal_shares(t, w)(4, 4)


@test(alone=True)
def replicas_that_start_may_move_as_before(t):
    """StartingPodsCount=false: as in KubeFed, only what is ready counts as running."""
    w = Workloads(t, members=MEMBERS, arguments=("-v", "2", "--behavior", "StartingPodsCount=false"))
    weights_after_equal_shares(t, w)(2, 6)


def run_without_being_ready(t, w, member, number):
    """Pods of the workload that run and are not ready; the controller manager has seen them."""
    api = t.env.apis[member]
    labels = {"app": "web"}
    for name in [f"web-{i}" for i in range(number)] + ["mark"]:
        eventually(lambda n=name: api.create(PODS, w.namespace, {
            "kind": "Pod", "metadata": {"name": n, "labels": labels if n != "mark" else {}},
            "spec": {"automountServiceAccountToken": False, "containers": [{"name": "c", "image": "nginx:1.25"}]}}))
        if name != "mark":
            api.patch(PODS, w.namespace, name, {"status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "False", "lastTransitionTime": time_text()}]}}, "status")
    # Changes come in their order: who knows of the mark knows of the conditions.
    line = f'kubefed_member_pods{{cluster="{member}"}} {number + 1}'
    eventually(lambda: expect(line in metrics(w.plane).splitlines(), True, f"{line} among the metrics"))


@test(alone=True)
def pods_that_run_but_are_not_ready_do_not_count(t):
    """Q-39."""
    w = Workloads(t, members=MEMBERS, arguments=("-v", "2", "--behavior", "StartingPodsCount=false"))
    change = weights_after_equal_shares(t, w)
    run_without_being_ready(t, w, "member1", 4)
    change(2, 6)


@test(alone=True)
def pods_that_run_but_are_not_ready_may_count_as_before(t):
    """Q-39 with ReadyPodsOnly=false: any condition Ready will do."""
    w = Workloads(t, members=MEMBERS, arguments=("-v", "2", "--behavior", "StartingPodsCount=false,ReadyPodsOnly=false"))
    change = weights_after_equal_shares(t, w)
    run_without_being_ready(t, w, "member1", 4)
    change(4, 4)


# ---- other types

@test(alone=True)
def a_replica_set_is_scheduled(t):
    plane, _, _ = t.private(MEMBERS, config=FAST)
    plane.ctl("enable", "replicasets.apps")
    plane.wait_running("replicasets.apps")
    fed, sets = k.FED + "replicasets", "apps/v1/replicasets"
    t.federate(fed, plane.namespace, "web", deployment(plane.namespace), clusters=())
    set_preference(t, plane.namespace, "web", {"targetKind": "FederatedReplicaSet", "totalReplicas": 9, "clusters": {
        "member1": {"weight": 1}, "member2": {"weight": 2}}})
    eventually(lambda: expect(shares_of(t.host.get(fed, plane.namespace, "web")), {"member1": 3, "member2": 6}, "shares"))
    for member, replicas in (("member1", 3), ("member2", 6)):
        eventually(lambda m=member, n=replicas: expect(
            t.env.apis[m].get(sets, plane.namespace, "web")["spec"]["replicas"], n, f"replicas in {m}"))


class Sized(Workloads):
    """Like Workloads, of objects whose replica count is called differently."""

    def __init__(self, t, members, status="readyReplicas", proxied=(), config=None):
        # As in Workloads, but for the paths.
        self.t, self.members, self.status = t, members, status
        self.plane, self.gadgets, self.proxies = t.private(members, config={**FAST, **(config or {})}, proxied=proxied, start=False)
        self.namespace = self.plane.namespace
        for member in members:
            def change(definition):
                definition["spec"]["versions"][0]["subresources"]["scale"] = {
                    "specReplicasPath": ".spec.pool.size", "statusReplicasPath": ".status.size"}
            t.edit(k.CRDS, None, f"{self.gadgets.plural}.{self.gadgets.group}", change, t.env.apis[member])
        self.plane.start(arguments=("-v", "2"))
        self.plane.wait_ready(*members)
        self.plane.wait_running(self.gadgets.ftc)
        caches_are_full(self.plane, self.gadgets.ftc, members)
        self.kind = "Federated" + self.gadgets.kind

    def create(self, name="web", clusters=(), **spec):
        self.t.federate(self.gadgets.fed, self.namespace, name, {"spec": {"pool": {"size": 1}}}, clusters=clusters, **spec)

    def shares(self, name="web"):
        ops = [(item["clusterName"], op) for item in self.gadgets.get(name)["spec"].get("overrides") or []
               for op in item.get("clusterOverrides") or []]
        expect([op["path"] for _, op in ops], ["/spec/pool/size"] * len(ops), "paths of the overrides")
        return {cluster: op["value"] for cluster, op in ops}

    def run(self, name="web", members=None):
        for member, size in self.shares(name).items():
            if members and member not in members:
                continue
            eventually(lambda m=member, n=size: expect(self.gadgets.in_member(m, name)["spec"]["pool"], {"size": n}, f"size in {m}"))
            self.t.env.apis[member].patch(self.gadgets.target, self.namespace, name,
                                          {"status": {"size": size, self.status: size}}, "status")


@test(alone=True)
def a_type_with_a_replica_count_of_its_own_is_scheduled(t):
    """The scale sub-resource says where the count is; what runs is status.readyReplicas."""
    w = Sized(t, MEMBERS)
    w.create()
    w.prefer(9, clusters={"member1": {"weight": 1}, "member2": {"weight": 2}})
    w.wait({"member1": 3, "member2": 6})
    w.run()
    w.prefer(10, clusters={"member1": {"weight": 1}})
    w.wait({"member1": 10, "member2": 0})
    w.run()
    w.prefer(10, clusters={"*": {"weight": 1}})
    decided(t, w.namespace)
    stays(lambda: expect(w.shares(), {"member1": 10, "member2": 0}, "what runs stays"), 1)
    w.prefer(10, clusters={"*": {"weight": 1}}, rebalance=True)
    w.wait({"member1": 5, "member2": 5})


@test(alone=True)
def few_at_once_move_also_when_nothing_tells_what_is_ready(t):
    """Objects with a scale sub-resource need not have status.readyReplicas: what they have then is the count that it names."""
    w = Sized(t, ("member1", "member2", "member3"), status="observed", proxied=("member3",))
    w.create()
    w.prefer(6, failover={"after": "1s", "returnAfter": "1s", "maxMoved": 2})
    w.wait({"member1": 2, "member2": 2, "member3": 2})
    w.run()
    w.proxies["member3"].refuse()
    eventually(lambda: expect(w.shares().get("member3", 0), 0, "replicas that are left to the lost cluster"))


# ---- nothing is lost

@test(alone=True)
def what_runs_stays_where_it_cannot_be_judged(t):
    """A workload that runs gets its first preference by room, and a namespace-scoped control plane sees no nodes: nothing leaves."""
    w = Workloads(t, members=MEMBERS)
    w.create("listed", clusters=MEMBERS)
    w.create("selected", clusters=None, selector={})
    uids = {}
    for name in ("listed", "selected"):
        for member in MEMBERS:
            def there(member=member, name=name):
                return (w.gadgets.in_member(member, name) or expect(None, {}, f"{name} in {member}"))["metadata"]["uid"]
            uids[name, member] = eventually(there)
    for name in ("listed", "selected"):
        w.prefer(2, name=name, strategy="FreeResources")
        decided(t, w.namespace, name)
        eventually(lambda n=name: expect(set(w.shares(n)), set(MEMBERS), f"clusters of {n}"))
    stays(lambda: expect({(n, m): w.gadgets.in_member(m, n)["metadata"]["uid"] for n, m in uids}, uids, "objects in the members"), 2)


@test(alone=True)
def what_was_before_a_loss_is_stored_before_anything_moves(t):
    """A process that ends between the two writes must not have moved what it does not know any more."""
    w = Workloads(t, members=("member1", "member2", "member3"), proxied=("member3",))
    w.create()
    w.prefer(9, failover={"after": "1s", "returnAfter": "1s"})
    w.wait({"member1": 3, "member2": 3, "member3": 3})
    w.run()
    w.scheduled("True", "Scheduled")
    refusal = refuse_status(t, t.host, RSP, w.namespace, "web")
    w.proxies["member3"].refuse()
    eventually(lambda: expect(w.plane.controller.log().count("cannot write its status") > 1, True, "another try"))
    expect(w.shares(), {"member1": 3, "member2": 3, "member3": 3}, "shares while their memory cannot be written")
    refusal.end()
    eventually(lambda: expect(sorted(w.shares()), ["member1", "member2"], "clusters without member3"))
    expect({c["name"]: (c["replicas"], c.get("lost", False)) for c in w.preference()["status"]["beforeLoss"]},
           {"member1": (3, False), "member2": (3, False), "member3": (3, True)}, "memory of the shares before")
    w.run()
    w.plane.controller.kill(unlock=True)
    w.plane.start(arguments=("-v", "2"))
    w.proxies["member3"].pass_on()
    w.wait({"member1": 3, "member2": 3, "member3": 3})


@test(alone=True)
def an_object_made_anew_gets_its_numbers_back(t):
    """Tools apply the object again as it was in their files: nothing moves for that, not even while a cluster is not ready."""
    w = Workloads(t, members=MEMBERS, proxied=("member2",), config={**FAST, "controllerDuration": {
        "availableDelay": "1s", "unavailableDelay": "60s"}})
    w.create()
    w.prefer(6)
    w.wait({"member1": 3, "member2": 3})
    w.run()
    w.scheduled("True", "Scheduled")
    w.proxies["member2"].refuse()
    eventually(lambda: expect(k.condition(w.plane.cluster("member2"), "Offline").get("status"), "True", "offline"))
    t.edit(w.gadgets.fed, w.namespace, "web", lambda obj: (obj["spec"]["placement"].pop("clusters"), obj["spec"].pop("overrides")))
    w.wait({"member1": 3, "member2": 3})


# ---- the definition of preferences is another one

def set_definition(t, spec):
    t.edit(k.CRDS, None, DEFINITION, lambda obj: obj.update(spec=spec))


def changed_definition(t, change, is_served):
    """Until the end of the test, or until what is returned is called. change(version) gets the definition of v1alpha1."""
    before = t.host.get(k.CRDS, None, DEFINITION)["spec"]
    spec = t.host.get(k.CRDS, None, DEFINITION)["spec"]
    change(spec["versions"][0])
    if not t.host.find(RSP, "default", "probe"):
        t.host.create(RSP, "default", {"metadata": {"name": "probe"}, "spec": {"targetKind": "Nothing", "totalReplicas": 0}})
        t.cleanup(lambda: t.host.delete(RSP, "default", "probe"))

    def undo():
        set_definition(t, before)
        eventually(lambda: expect((serves_status(t), takes(t, {"targetKind": []})), (True, False), "the present definition is served"))
    t.cleanup(undo)
    set_definition(t, spec)
    eventually(lambda: expect(is_served(), True, "the changed definition is served"))
    return undo


def serves_status(t):
    """Of a path that does not exist the API server says that there is no such object."""
    try:
        return bool(t.host.get(RSP, "default", "probe", "status"))
    except k.ApiError as e:
        expect(e.code, 404, "code of the answer")
        return False


def takes(t, spec):
    try:
        t.host.call("POST", k.path_of(RSP, "default") + "?dryRun=All", k.with_kind(RSP, {"metadata": {"name": "try"}, "spec": spec}))
    except k.ApiError:
        return False
    return True


def without_status(t):
    """As KubeFed's own."""
    return changed_definition(t, lambda version: version.pop("subresources"), lambda: not serves_status(t))


def told(w, reason):
    """How often that was an event of the preference."""
    return sum(e.get("count") or 1 for e in w.plane.events("web", w.namespace, reason))


def passes(w):
    return w.plane.controller.log().count(f'"{w.namespace}/web": member1 gets')


@test(alone=True)
def an_old_definition_without_status_is_good_enough(t):
    """KubeFed's own CRD: shares are written, what is doubtful is told once, the log says why there is no status, and that is all."""
    without_status(t)
    w = Workloads(t, members=MEMBERS)
    w.create()
    for total in (6, 8):
        w.prefer(total, clusters={"*": {"weight": 1}, "atlantis": {"weight": 1}})
        w.wait({"member1": total // 2, "member2": total // 2})
        w.run()
    eventually(lambda: expect(told(w, "Unfulfillable"), 1, "how often it was told"))
    eventually(lambda: expect(k.condition(w.gadgets.get("web"), "Propagation").get("status"), "True", "propagated"))

    def rests():
        before = passes(w)
        stays(lambda: expect(passes(w), before, "passes over the preference"), 1)
    eventually(rests)
    expect(w.plane.controller.log().count("their CRD is an old one"), 1, "lines about the CRD in the log")
    expect(w.preference().get("status"), None, "status")
    w.prefer(4, clusters={"*": {"weight": 1}}, strategy="Magic")
    eventually(lambda: expect(told(w, "InvalidSpec"), 1, "events about another fault"))
    expect((told(w, "Unfulfillable"), told(w, "Scheduled")), (1, 0), "events about the first fault, and about success")


@test(alone=True)
def a_status_is_written_as_soon_as_the_definition_has_one(t):
    """The log asks for the present CRD to be applied; that must be enough, without a restart."""
    undo = without_status(t)
    w = Workloads(t, members=MEMBERS)
    w.create()
    w.prefer(6)
    w.wait({"member1": 3, "member2": 3})
    w.plane.controller.wait_log("their CRD is an old one")
    undo()
    w.prefer(8)
    w.wait({"member1": 4, "member2": 4})
    w.scheduled("True", "Scheduled", "8 of 8")


def without_schema(t):
    """Everything passes, as with CRDs of old that had no schema."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {
        key: {"x-kubernetes-preserve-unknown-fields": True} for key in ("spec", "status")}}
    return changed_definition(t, lambda version: version.update(schema={"openAPIV3Schema": anything}),
                              lambda: takes(t, {"targetKind": []}))


FIELDS = {
    "spec": [], "spec.totalReplicas": ["totalReplicas"], "spec.targetKind": ["targetKind"], "spec.rebalance": ["rebalance"],
    "spec.intersectWithClusterSelector": ["intersectWithClusterSelector"], "spec.strategy": ["strategy"],
    "spec.rebalanceTolerance": ["rebalanceTolerance"], "spec.clusters": ["clusters"], "spec.clusters[member1]": ["clusters", "member1"],
    "spec.clusters[*].weight": ["clusters", "*", "weight"], "spec.clusters[*].minReplicas": ["clusters", "*", "minReplicas"],
    "spec.clusters[*].maxReplicas": ["clusters", "*", "maxReplicas"], "spec.failover": ["failover"],
    "spec.failover.after": ["failover", "after"], "spec.failover.returnAfter": ["failover", "returnAfter"],
    "spec.failover.maxMoved": ["failover", "maxMoved"],
}
ODD = {**VALUES, "real": 2.0 ** 53, "beyond": HUGE + 1, "least": -HUGE - 1, "percent": "101%", "ages": "2562047h47m16s",
       "cut": "a" + "\u00e9" * 200}


def with_field(kind, path, value):
    if not path:
        return value
    spec = {"targetKind": kind, "totalReplicas": 4}
    here = spec
    for step in path[:-1]:
        here = here.setdefault(step, {})
    here[path[-1]] = value
    return spec


def hostile_preferences(w):
    """{name: field} of the preferences that the API server took: one for each field and each odd value."""
    names = {}
    for number, (field, path) in enumerate(FIELDS.items()):
        for word, value in ODD.items():
            name = f"f{number}-{word}"
            try:
                w.t.host.create(RSP, w.namespace, {"metadata": {"name": name}, "spec": with_field(w.kind, path, value)})
                names[name] = field
            except k.ApiError as e:
                assert e.code in (400, 413, 422), e
    return names


def judged(w, names):
    """Each has a status for its generation; where it is refused, that names the field."""
    found = {obj["metadata"]["name"]: obj for obj in w.t.host.list(RSP, w.namespace)}
    refused = 0
    for name, field in names.items():
        obj = found[name]
        expect((obj.get("status") or {}).get("observedGeneration"), obj["metadata"]["generation"], f"generation seen of {name}")
        reason, message = condition(obj, "Scheduled")[1:]
        assert reason in ("InvalidSpec", "TargetNotFound", "TypeNotEnabled"), f"{name}: {reason}: {message[:300]}"
        assert reason != "InvalidSpec" or field in message, f"{name}: {message[:300]}"
        assert len(message) < 5000, f"{name}: a message of {len(message)} characters"
        refused += reason == "InvalidSpec"
    return refused


@test(alone=True)
def every_field_of_a_preference(t):
    """With a CRD without schema everything reaches the controller manager: each fault is named by its field, nothing else suffers."""
    without_schema(t)
    w = Workloads(t, members=MEMBERS, arguments=("-v", "1"))
    t.cleanup(lambda: [t.host.delete(RSP, w.namespace, obj["metadata"]["name"]) for obj in t.host.list(RSP, w.namespace)])
    w.create()
    w.prefer(4)
    w.wait({"member1": 2, "member2": 2})
    names = hostile_preferences(w)
    assert len(names) > 300, f"only {len(names)} preferences were taken"
    refused = eventually(lambda: judged(w, names), 120)
    assert refused > 200, f"only {refused} of {len(names)} were refused"
    w.prefer(6)
    w.wait({"member1": 3, "member2": 3})
    assert w.plane.controller.memory() < 600_000, f"{w.plane.controller.memory()} KiB resident"


@test(alone=True)
def a_status_that_somebody_spoiled_heals(t):
    """The memory of limits and of shares before a loss is in the status, and anybody who may write it can put anything there."""
    without_schema(t)
    w = Workloads(t, members=MEMBERS, arguments=("-v", "1"))
    t.cleanup(lambda: t.host.delete(RSP, w.namespace, "web", missing_ok=True))
    w.create()
    odd = {"replicas": HUGE, "tries": HUGE, "until": "9999-12-31T23:59:59Z"}
    for number, status in enumerate(({"clusters": 5, "conditions": "x", "beforeLoss": {}, "observedGeneration": "1"},
                                     {"clusters": [None, 3, {"name": 5}, {"name": "member1", "limit": "x"}], "beforeLoss": [{}, []]},
                                     {"clusters": [{"name": "member1", "replicas": -1, "limit": odd}],
                                      "beforeLoss": [{"name": "member2", "replicas": HUGE}, {"name": "member1", "replicas": -HUGE}]},
                                     {"conditions": [None, 1, {"type": "Scheduled", "status": {}}, {"type": "Mine"}]})):
        w.prefer(4 + 2 * number, failover={} if number % 2 else {"maxMoved": 1})
        w.scheduled("True", "Scheduled", f"{4 + 2 * number} of")
        w.run()
        t.host.patch(RSP, w.namespace, "web", {"status": status}, "status")
        w.prefer(6 + 2 * number)
        w.wait({"member1": 3 + number, "member2": 3 + number})
        eventually(lambda: expect([type(c) for c in w.preference()["status"]["conditions"]][:2], [dict, dict], "kinds of conditions"))
        w.scheduled("True", "Scheduled", f"{6 + 2 * number} of {6 + 2 * number}")


# ---- preferences that make no sense

@test(alone=True)
def a_thousand_clusters_that_do_not_exist(t):
    """The ones that exist get their shares; the message stays short, and says that there is more."""
    w = Workloads(t, members=MEMBERS)
    w.create()
    w.prefer(6, clusters={"*": {"weight": 1}, **{f"atlantis-{i:03}": {"weight": i, "minReplicas": i} for i in range(1000)}})
    w.wait({"member1": 3, "member2": 3})
    w.doubted("Unfulfillable", "spec.clusters[atlantis-000]: there is no such cluster")
    message = condition(w.preference(), "Valid")[2]
    assert len(message) < 5000, f"a message of {len(message)} characters"
    assert not message.endswith(", "), f"the message ends in the middle: ...{message[-60:]!r}"


@test(alone=True)
def numbers_of_any_size(t):
    """Each field of a number: refused by its name beyond 2^31 - 1, and that much is divided like any other number."""
    w = Workloads(t, members=MEMBERS)
    w.create()
    w.prefer(4)
    w.wait({"member1": 2, "member2": 2})
    for number in (2 ** 31, 2 ** 53, HUGE, -HUGE - 1):
        for field, spec in (("spec.totalReplicas", {"total": number}),
                            ("spec.clusters[*].weight", {"total": 4, "clusters": {"*": {"weight": number}}}),
                            ("spec.clusters[*].minReplicas", {"total": 4, "clusters": {"*": {"weight": 1, "minReplicas": number}}}),
                            ("spec.clusters[*].maxReplicas", {"total": 4, "clusters": {"*": {"weight": 1, "maxReplicas": number}}}),
                            ("spec.rebalanceTolerance", {"total": 4, "rebalanceTolerance": number}),
                            ("spec.failover.maxMoved", {"total": 4, "failover": {"maxMoved": number}})):
            try:
                w.prefer(**spec)
            except k.ApiError as e:
                expect(e.code, 422, f"answer of the API server to {number} as {field}")
                continue
            w.scheduled("False", "InvalidSpec", field)
            expect(w.shares(), {"member1": 2, "member2": 2}, "what was placed")
    most = 2 ** 31 - 1
    w.prefer(most, rebalance=True, clusters={"member1": {"weight": most}, "member2": {"weight": most, "maxReplicas": most}})
    eventually(lambda: expect(sum(w.shares().values()), most, "replicas that are placed"))
    assert abs(w.shares()["member1"] - w.shares()["member2"]) <= 1, w.shares()


@test(alone=True)
def an_object_that_retains_replicas_is_doubted(t):
    """Members keep the numbers that they have: the shares are written, and that they have no effect is said."""
    w = Workloads(t, members=MEMBERS)
    w.create(retainReplicas=True)
    w.prefer(4)
    w.doubted("Unfulfillable", "spec.retainReplicas")
    w.wait({"member1": 2, "member2": 2})
    t.host.patch(w.gadgets.fed, w.namespace, "web", {"spec": {"retainReplicas": False}})
    eventually(lambda: expect(condition(w.preference(), "Valid")[:2], ("True", "Valid"), "condition Valid"))


# ---- overrides of others

def of_others(fed):
    """Overrides without those of the replica count, in their order."""
    return [(item["clusterName"], [op for op in item.get("clusterOverrides") or [] if op["path"] != REPLICAS])
            for item in fed["spec"].get("overrides") or []]


@test(alone=True)
def overrides_of_others_stay_while_numbers_change(t):
    """Q-41: what others wrote, and the order of it, is the same after many numbers; new clusters follow by name."""
    w = Workloads(t, members=("member1", "member2", "member3"))
    colour = {"path": "/spec/color", "op": "add", "value": "red"}
    nothing = {"path": "/spec/shape", "op": "add", "value": None}
    gone = {"path": "/spec/size", "op": "remove"}
    theirs = [override("member3", colour, {"path": REPLICAS, "op": "replace", "value": 9}, nothing), override("atlantis", colour),
              {"clusterName": "member1"}]
    w.t.federate(w.gadgets.fed, w.namespace, "web", {"spec": {"replicas": 1, "size": 4}}, clusters=(), overrides=theirs)
    for total in range(3, 33, 3):
        w.prefer(total, rebalance=True)
        w.wait({member: total // 3 for member in w.members})
        expect(of_others(w.gadgets.get("web")), [("member3", [colour, nothing]), ("atlantis", [colour]), ("member1", []),
                                                 ("member2", [])], f"overrides of others with {total} replicas")
        ops = w.gadgets.get("web")["spec"]["overrides"][0]["clusterOverrides"]
        expect(ops[1], {"path": REPLICAS, "op": "replace", "value": total // 3}, "the number between the others")

    def add(obj):
        obj["spec"]["overrides"][1]["clusterOverrides"].append(gone)
        obj["spec"]["overrides"].insert(0, override("lemuria", gone))
    t.edit(w.gadgets.fed, w.namespace, "web", add)
    w.prefer(6, rebalance=True)
    w.wait({member: 2 for member in w.members})
    expect(of_others(w.gadgets.get("web")), [("lemuria", [gone]), ("member3", [colour, nothing]), ("atlantis", [colour, gone]),
                                             ("member1", []), ("member2", [])], "overrides after another change")


@test(alone=True)
def numbers_that_somebody_changes_are_written_back(t):
    """docs/scheduling.md, failure cases. What somebody wrote runs nowhere yet: no replica has to leave another cluster for it."""
    w = Workloads(t, members=MEMBERS)
    t.federate(w.gadgets.fed, w.namespace, "web", {"spec": SELECTED}, clusters=())
    w.prefer(6)
    w.wait({"member1": 3, "member2": 3})
    w.run()

    def generations():
        return {member: w.gadgets.in_member(member, "web")["metadata"]["generation"] for member in MEMBERS}
    for place, other in ((0, "member2"), (1, "member1")):
        before = generations()
        for number in (5, 100, HUGE, -1, 0):
            def change(obj, place=place, number=number):
                obj["spec"]["overrides"][place]["clusterOverrides"][0]["value"] = number
            t.edit(w.gadgets.fed, w.namespace, "web", change)
            eventually(lambda n=number: expect(w.shares(), {"member1": 3, "member2": 3}, f"shares after {n}"))
            w.run()
            expect(generations()[other], before[other], f"generation of the object in {other} after {number} for the other cluster")


# ---- room

@test()
def an_extended_resource_decides(t):
    """CPU for many, GPUs for few: replicas go where the GPUs are, and no further."""
    s = Scene(t, (0, 0))
    s.nodes["member1"].add("a", cpu="4", memory="64Gi", **{"example.com/gpu": "3"})
    s.nodes["member2"].add("a", cpu="64", memory="64Gi", **{"example.com/gpu": "1"})
    s.nodes["member2"].add("b", cpu="64", memory="64Gi")
    template = deployment(s.namespace, "web", {"cpu": "100m"}, tolerations(s.namespace))
    template["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] = {"example.com/gpu": "1"}
    t.federate(FDEPLOY, s.namespace, "web", template, clusters=())
    s.prefer(4, strategy="FreeResources")
    s.wait(3, 1)
    s.ready(3, 1)
    s.prefer(6, strategy="FreeResources")
    eventually(lambda: expect(condition(t.host.get(RSP, s.namespace, "web"), "Scheduled")[1:],
                              ("InsufficientResources", "2 of 6 replicas fit in no cluster"), "condition Scheduled"))
    s.nodes["member2"].add("c", cpu="1", memory="64Gi", **{"example.com/gpu": "2"})
    s.wait(3, 3)
    s.ready(3, 3)


@test(alone=True)
def resources_that_only_templates_name_take_no_place(t):
    """A template can ask for any number of resources that no node has; those of nodes that come later are still counted."""
    with quiet_main(t).running():
        s = Scene(t, (1, 1))
        greedy = deployment(s.namespace, "greedy", {}, tolerations(s.namespace))
        greedy["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] = {
            f"nothing-{i}.example.com/such": "1" for i in range(20)}
        t.federate(FDEPLOY, s.namespace, "greedy", greedy, clusters=())
        s.prefer(2, name="greedy", strategy="FreeResources")
        eventually(lambda: expect(condition(t.host.get(RSP, s.namespace, "greedy"), "Scheduled")[1], "InsufficientResources",
                                  "reason of the greedy one"))
        s.nodes["member1"].add("late", cpu="4", memory="64Gi", **{"late.example.com/gpu": "2"})
        modest = deployment(s.namespace, "modest", {"cpu": "100m"}, tolerations(s.namespace))
        modest["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] = {"late.example.com/gpu": "1"}
        t.federate(FDEPLOY, s.namespace, "modest", modest, clusters=())
        s.prefer(2, name="modest", strategy="FreeResources")
        s.wait(2, 0, name="modest")


def accept_only(nodes, most):
    """Something besides requests keeps pods off the nodes, such as anti-affinity."""
    schedule = nodes._schedule

    def picky(pod, free):
        bound = sum(1 for other in nodes.pods() if other["spec"].get("nodeName"))
        schedule(pod, free if bound < most else {})
    nodes._schedule = picky


def limit_of(t, s, member):
    for cluster in t.host.get(RSP, s.namespace, "web")["status"].get("clusters") or []:
        if cluster["name"] == member:
            return cluster.get("limit") or {}
    return {}


@test()
def what_only_seemed_to_fit_is_remembered(t):
    """The replicas go elsewhere and do not come back, until the time is up; then it is tried again, and remembered for longer."""
    s = Scene(t, (8, 8), unschedulable_for=70, start=False)
    accept_only(s.nodes["member1"], 1)
    for nodes in s.nodes.values():
        nodes.start()
    s.see(8, 8)
    s.create()
    s.prefer(8, strategy="FreeResources")
    s.wait(1, 7)
    s.ready(1, 7)
    eventually(lambda: expect({key: limit_of(t, s, "member1").get(key) for key in ("replicas", "tries")}, {"replicas": 1, "tries": 1},
                              "limit of member1"))
    until = limit_of(t, s, "member1")["until"]
    assert until > time_text(), f"the limit holds until {until}, which is over"
    expect(limit_of(t, s, "member2"), {}, "limit of member2")
    stays(lambda: expect((s.shares(), limit_of(t, s, "member1")), (
        {"member1": 1, "member2": 7}, {"replicas": 1, "tries": 1, "until": until}), "shares and limit"), 2)

    def is_over():
        obj = t.host.get(RSP, s.namespace, "web")
        for cluster in obj["status"]["clusters"]:
            if cluster.get("limit"):
                cluster["limit"]["until"] = time_text(60)
        t.host.replace(RSP, s.namespace, obj, "status")
    eventually(is_over)
    s.prefer(10, strategy="FreeResources")
    eventually(lambda: expect({key: limit_of(t, s, "member1").get(key) for key in ("replicas", "tries")}, {"replicas": 1, "tries": 2},
                              "limit of member1 after another try"))
    s.wait(1, 8)
    eventually(lambda: expect(condition(t.host.get(RSP, s.namespace, "web"), "Scheduled")[1:],
                              ("InsufficientResources", "1 of 10 replicas fit in no cluster"), "condition Scheduled"))


@test(alone=True)
def a_limit_holds_also_where_no_status_keeps_it(t):
    """With KubeFed's CRD it cannot be stored: it must not be that the replicas come back as soon as they are gone, again and again."""
    plane = quiet_main(t)
    without_status(t)
    with plane.running():
        s = Scene(t, (8, 8), unschedulable_for=70, start=False)
        accept_only(s.nodes["member1"], 1)
        for nodes in s.nodes.values():
            nodes.start()
        s.create()
        s.prefer(8, strategy="FreeResources", rebalance=True)

        def are_elsewhere():
            assert (s.shares()["member1"] or 0) <= 1 and (s.shares()["member2"] or 0) >= 7, f"shares: {s.shares()}"
        eventually(are_elsewhere)
        stays(are_elsewhere, 6)     # longer than the nodes are silent


@test()
def small_changes_of_room_move_nothing(t):
    """With rebalance an improvement has to be worth more than rebalanceTolerance; 10% when absent."""
    s = Scene(t, (10, 10))
    s.create()
    s.prefer(10, strategy="FreeResources", rebalance=True)
    s.wait(5, 5)
    s.ready(5, 5)
    s.nodes["member1"].add("small", cpu="2", memory="64Gi")
    stays(lambda: expect(s.shares(), {"member1": 5, "member2": 5}, "shares with a little more room in member1"), 2)
    s.prefer(10, strategy="FreeResources", rebalance=True, rebalanceTolerance="80%")
    s.nodes["member1"].add("large", cpu="18", memory="64Gi")
    decided(t, s.namespace)
    stays(lambda: expect(s.shares(), {"member1": 5, "member2": 5}, "shares with much more room, but a large tolerance"), 2)
    s.prefer(10, strategy="FreeResources", rebalance=True)
    eventually(lambda: expect(s.shares()["member1"] > 6 and sum(s.shares().values()), 10, f"shares {s.shares()}"))


@test(alone=True)
def nodes_that_cannot_be_seen_are_said_to_be_the_reason(t):
    """A namespace-scoped control plane sees no nodes: that nothing fits would send people looking for room that is there."""
    w = Workloads(t, members=MEMBERS)
    w.create()
    w.prefer(4, strategy="FreeResources")
    w.scheduled("False", "InsufficientResources", "nodes")


# ---- the room of clusters in their status

def resources_of(plane, member="member1"):
    return (plane.cluster(member).get("status") or {}).get("resources")


@contextlib.contextmanager
def collecting(t, *arguments):
    """A cluster-scoped control plane of its own, with member1 and a node there, while it runs; it sees the preferences of all."""
    quiet_main(t)
    for obj in t.host.list(RSP):
        t.host.delete(RSP, obj["metadata"]["namespace"], obj["metadata"]["name"], missing_ok=True)
    plane = t.plane("rooms", "Cluster", config={"clusterHealthCheck": FAST["clusterHealthCheck"]})
    plane.add_member("member1")
    Nodes(t, "member1", plane.namespace).add("a", cpu="4", memory="8Gi", **{f"{plane.namespace}.example.com/gpu": "4"})
    plane.start(arguments=("-v", "2", *arguments))
    plane.wait_ready("member1")
    yield plane
    plane.controller.stop()


@test(alone=True)
def resources_can_be_collected_without_any_preference(t):
    with collecting(t, "--behavior", "CollectResources=true") as plane:
        gpu = f"{plane.namespace}.example.com/gpu"
        found = eventually(lambda: resources_of(plane) or expect(None, {}, "status.resources"), 90)
        expect((found["nodes"], found["readyNodes"], found["allocatable"].get(gpu), found["free"].get(gpu)), (1, 1, "4", "4"),
               f"nodes and GPUs of {found}")
        expect(k.condition(plane.cluster("member1"), "Ready").get("status"), "True", "still ready")


@test(alone=True)
def resources_are_not_collected_unasked(t):
    """Neither without preferences nor with one by weight: nodes are not even listed."""
    with collecting(t) as plane:
        set_preference(t, plane.namespace, "web", {"targetKind": "FederatedDeployment", "totalReplicas": 3})
        eventually(lambda: expect(condition(t.host.get(RSP, plane.namespace, "web"), "Scheduled")[1], "TypeNotEnabled", "reason"))
        stays(lambda: expect(resources_of(plane), None, "status.resources"), 2)


@test(alone=True)
def resources_end_with_the_last_preference_that_needs_them(t):
    """Numbers that nobody keeps up to date any longer are worse than none."""
    with collecting(t) as plane:
        set_preference(t, plane.namespace, "web", {"targetKind": "FederatedDeployment", "totalReplicas": 3, "strategy": "FreeResources"})
        eventually(lambda: resources_of(plane) or expect(None, {}, "status.resources"), 90)
        t.host.delete(RSP, plane.namespace, "web")
        eventually(lambda: expect(resources_of(plane), None, "status.resources without a preference"))
