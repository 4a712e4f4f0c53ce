"""The events on federated objects and clusters (controllers.md 5.15, 4.2): reason, type and text of each."""
import base64
import re

import faults
from harness import FCM, FNS, MANAGED, eventually, expect, k, stays, test, token_for
from refusals import refuse_creation, refuse_deletion, refuse_update


# A member on a busy machine may take longer than the 2 s that a run waits for it, which is told, and then goes on by itself.
LATE = "OperationTimeoutError"


def told(plane, name, namespace=None, reason=None):
    """{(type, reason, message)} of the events about an object; that a member was late counts only when asked for."""
    return {(e["type"], e["reason"], e["message"]) for e in plane.events(name, namespace, reason)
            if reason or e["reason"] != LATE}


def wait_told(plane, name, expected, namespace=None, reason=None, timeout=90):
    """Exactly these events."""
    eventually(lambda: expect(sorted(told(plane, name, namespace, reason)), sorted(expected), f"events of {name}"),
               timeout)


def text(gadgets, verb, member, name="thing"):
    return f'{verb} {gadgets.kind} "{gadgets.plane.namespace}/{name}" in cluster "{member}"'


def place(gadgets, *members, name="thing"):
    gadgets.case.edit(gadgets.fed, gadgets.plane.namespace, name, lambda o: o["spec"].update(
        placement={"clusters": [{"name": m} for m in members]}))


def change(gadgets, name="thing", lang="pl"):
    gadgets.case.edit(gadgets.fed, gadgets.plane.namespace, name, lambda o: o["spec"]["template"].update(
        data={"lang": lang}))


def warm(t, **settings):
    """A private control plane that has done its first work: what begins with it is not in the events."""
    plane, gadgets, proxies = t.private(**settings)
    gadgets.create("warm-up")
    gadgets.propagated("warm-up")
    return plane, gadgets, proxies


# What failed is tried again after a minute at the latest.
RETRIED = 150
# One failed probe makes a cluster unready: then none may fail because the machine is busy.
ONE_FAILURE = {"clusterHealthCheck": {"failureThreshold": 1, "timeout": "20s"}}


# ---- operations

@test(smoke=True)
def operations_are_told_with_their_texts(t):
    plane, gadgets, _ = warm(t)
    uid = gadgets.create("thing")["metadata"]["uid"]
    gadgets.propagated("thing")
    change(gadgets)
    gadgets.propagated("thing")
    place(gadgets, "member2")
    gadgets.propagated("thing", ["member2"])
    wait_told(plane, "thing", {("Normal", "CreateInCluster", text(gadgets, "Creating", "member1")),
                               ("Normal", "CreateInCluster", text(gadgets, "Creating", "member2")),
                               ("Normal", "UpdateInCluster", text(gadgets, "Updating", "member1")),
                               ("Normal", "UpdateInCluster", text(gadgets, "Updating", "member2")),
                               ("Normal", "DeleteInCluster", text(gadgets, "Deleting", "member1"))})
    for event in plane.events("thing"):
        on = event["involvedObject"]
        expect((on["apiVersion"], on["kind"], on["namespace"], on["uid"]),
               ("types.kubefed.io/v1beta1", "Federated" + gadgets.kind, plane.namespace, uid), "involved object")
        expect(event["source"], {"component": f"federated{gadgets.kind.lower()}-controller"}, "source")
        if event["reason"] != LATE:
            expect(event["count"], 1, f"count of {event['message']}")


@test()
def a_label_removal_is_told(t):
    plane = t.main()
    namespace = t.namespace(["host", "member1"])
    t.propagated(FNS, namespace, namespace, ["host", "member1"])
    t.edit(FNS, namespace, namespace, lambda o: o["spec"]["placement"].update(clusters=[{"name": "member1"}]))
    wait_told(plane, namespace, {("Normal", "RemoveManagedLabelFromInCluster",
                                  f'Removing managed label from Namespace "{namespace}" in cluster "host"')},
              namespace, "RemoveManagedLabelFromInCluster")


@test()
def waiting_for_removal_is_told(t):
    plane, gadgets, _ = t.private()
    gadgets.create("thing")
    gadgets.propagated("thing")
    for member in (t.member1, t.member2):
        member.patch(gadgets.target, plane.namespace, "thing", {"metadata": {"finalizers": ["e2e.example.com/slow"]}})
    t.host.delete(gadgets.fed, plane.namespace, "thing")
    wait_told(plane, "thing", {("Normal", "WaitForRemovalInCluster", "Waiting for managed resources to be removed from "
                                "the following clusters: member1, member2")}, reason="WaitForRemovalInCluster")
    for member in (t.member1, t.member2):
        member.patch(gadgets.target, plane.namespace, "thing", {"metadata": {"finalizers": None}})
    t.gone(t.host, gadgets.fed, plane.namespace, "thing")


@test()
def a_deletion_is_not_told_operation_by_operation(t):
    plane, gadgets, _ = warm(t)
    gadgets.create("thing")
    gadgets.propagated("thing")
    t.host.delete(gadgets.fed, plane.namespace, "thing")
    t.gone(t.host, gadgets.fed, plane.namespace, "thing")
    # What comes later is told: then nothing of the deletion can be under way any longer.
    gadgets.create("later")
    eventually(lambda: expect(len(plane.events("later", reason="CreateInCluster")), 2, "events of the next object"))
    expect({e["reason"] for e in plane.events("thing")} - {"WaitForRemovalInCluster", LATE}, {"CreateInCluster"},
           "reasons of the deleted object's events")


@test()
def a_repeated_event_is_counted(t):
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])
    for number in range(3):
        change(gadgets, lang=str(number))
        gadgets.propagated("thing", ["member1"])

    def counted():
        events = plane.events("thing", reason="UpdateInCluster")
        expect([e["count"] for e in events], [3], "counts of the updates")
    eventually(counted)


# ---- objects that exist already

ATTEMPT = "An update will be attempted instead of a creation due to an existing resource"


def add_existing(t, gadgets, labels=None):
    """An object of somebody else in member2; then the federated one of that name."""
    t.member2.create(gadgets.target, gadgets.plane.namespace, {
        "kind": gadgets.kind, "metadata": {"name": "thing", "labels": labels or {}}, "data": {"mine": "x"}})
    gadgets.create("thing")


@test()
def an_adoption_is_told_in_three_events(t):
    """5.10: the creation, why it failed, and the update that follows it."""
    plane, gadgets, _ = warm(t)
    add_existing(t, gadgets)
    gadgets.propagated("thing")
    wait_told(plane, "thing", {
        ("Normal", "CreateInCluster", text(gadgets, "Creating", "member1")),
        ("Normal", "CreateInCluster", text(gadgets, "Creating", "member2")),
        ("Warning", "CreateInClusterFailed", f'{text(gadgets, "Failed to create", "member2")}: {ATTEMPT}'),
        ("Normal", "UpdateInCluster", text(gadgets, "Updating", "member2"))})


@test()
def an_object_that_opted_out_is_told(t):
    """5.10: it is the update that fails, after the creation did."""
    plane, gadgets, _ = warm(t)
    add_existing(t, gadgets, {MANAGED: "false"})
    expected = {"member1": "", "member2": "ManagedLabelFalse"}
    eventually(lambda: expect(gadgets.clusters("thing"), expected, "clusters"))
    reason = f"Unable to manage the object which has label {MANAGED}: false"
    wait_told(plane, "thing", {
        ("Normal", "CreateInCluster", text(gadgets, "Creating", "member1")),
        ("Normal", "CreateInCluster", text(gadgets, "Creating", "member2")),
        ("Warning", "CreateInClusterFailed", f'{text(gadgets, "Failed to create", "member2")}: {ATTEMPT}'),
        ("Warning", "UpdateInClusterFailed", f'{text(gadgets, "Failed to update", "member2")}: {reason}')})


@test()
def adoption_that_is_switched_off_is_told(t):
    plane, gadgets, _ = t.private(config={"syncController": {"adoptResources": "Disabled"}})
    add_existing(t, gadgets)
    expected = {"member1": "", "member2": "AlreadyExists"}
    eventually(lambda: expect(gadgets.clusters("thing"), expected, "clusters"))
    message = f'{text(gadgets, "Failed to create", "member2")}: Resource pre-exist in cluster'
    wait_told(plane, "thing", {("Warning", "CreateInClusterFailed", message)}, reason="CreateInClusterFailed")


@test()
def an_existing_object_that_cannot_be_read_is_told(t):
    plane, gadgets, _ = t.private(start=False)
    account = t.unique("blind")
    t.member2.create(k.SERVICEACCOUNTS, "default", {"metadata": {"name": account}})
    t.member2.create(k.CLUSTERROLES, None, {"metadata": {"name": f"e2e:{account}"}, "rules": [{
        "apiGroups": [gadgets.group], "resources": [gadgets.plural], "verbs": ["list", "watch", "create", "update"]}]})
    t.member2.create(k.CLUSTERROLEBINDINGS, None, {
        "metadata": {"name": f"e2e:{account}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"e2e:{account}"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "default"}]})
    token = token_for(t.member2, account)
    t.env.secrets.add(token)
    t.host.patch(k.SECRETS, plane.namespace, "member2-secret",
                 {"data": {"token": base64.b64encode(token.encode()).decode()}})
    plane.start()
    plane.wait_ready("member1", "member2")
    add_existing(t, gadgets)
    eventually(lambda: expect(gadgets.clusters("thing"), {"member1": "", "member2": "RetrievalFailed"}, "clusters"))
    failed = text(gadgets, "Failed to create", "member2")
    start = f"{failed}: failed to retrieve object potentially requiring adoption: "

    def said():     # the rights may have reached the member's authorizer one after the other
        messages = [e["message"] for e in plane.events("thing", reason="CreateInClusterFailed")]
        assert [m for m in messages if m.startswith(start) and "cannot get resource" in m], messages
    eventually(said)


# ---- failures

@test()
def a_failed_creation_is_told(t):
    plane, gadgets, _ = t.private()
    refusal = refuse_creation(t, t.member2, gadgets.target, plane.namespace)
    gadgets.create("thing")
    eventually(lambda: expect(gadgets.clusters("thing"), {"member1": "", "member2": "CreationFailed"}, "clusters"))
    wait_told(plane, "thing", {("Warning", "CreateInClusterFailed",
                                f'{text(gadgets, "Failed to create", "member2")}: {refusal.text}')},
              reason="CreateInClusterFailed")
    refusal.end()
    gadgets.propagated("thing", timeout=RETRIED)


@test()
def a_failed_update_is_told(t):
    plane, gadgets, _ = t.private()
    gadgets.create("thing")
    gadgets.propagated("thing")
    refusal = refuse_update(t, t.member2, gadgets.target, plane.namespace, "thing")
    change(gadgets)
    eventually(lambda: expect(gadgets.clusters("thing"), {"member1": "", "member2": "UpdateFailed"}, "clusters"))
    wait_told(plane, "thing", {("Warning", "UpdateInClusterFailed",
                                f'{text(gadgets, "Failed to update", "member2")}: {refusal.text}')},
              reason="UpdateInClusterFailed")
    refusal.end()
    gadgets.propagated("thing", timeout=RETRIED)


@test()
def a_failed_deletion_is_told(t):
    """The reason is that of the operation, not the word of the status (Q-30)."""
    plane, gadgets, _ = t.private()
    gadgets.create("thing")
    gadgets.propagated("thing")
    refusal = refuse_deletion(t, t.member2, gadgets.target, plane.namespace, "thing")
    place(gadgets, "member1")
    eventually(lambda: expect(gadgets.clusters("thing"), {"member1": "", "member2": "DeletionFailed"}, "clusters"))
    wait_told(plane, "thing", {("Warning", "DeleteInClusterFailed",
                                f'{text(gadgets, "Failed to delete", "member2")}: {refusal.text}')},
              reason="DeleteInClusterFailed")
    expect(plane.events("thing", reason="DeletionFailed"), [], "events with the status as reason")
    refusal.end()
    gadgets.propagated("thing", ["member1"], timeout=RETRIED)


@test()
def a_failed_label_removal_is_told(t):
    plane = t.main()
    namespace = t.namespace(["host", "member1"])
    t.propagated(FNS, namespace, namespace, ["host", "member1"])
    refusal = refuse_update(t, t.host, k.NAMESPACES, namespace, namespace)
    t.edit(FNS, namespace, namespace, lambda o: o["spec"]["placement"].update(clusters=[{"name": "member1"}]))
    eventually(lambda: expect(t.host.get(FNS, namespace, namespace)["status"]["clusters"],
                              [{"name": "host", "status": "LabelRemovalFailed"}, {"name": "member1"}], "clusters"))
    reason = "RemoveManagedLabelFromInClusterFailed"
    wait_told(plane, namespace, {("Warning", reason, "Failed to remove managed label from Namespace "
                                  f'"{namespace}" in cluster "host": {refusal.text}')}, namespace, reason)
    refusal.end()
    t.propagated(FNS, namespace, namespace, ["member1"], timeout=RETRIED)


@test()
def percent_signs_stay(t):
    """An error text is no format (Q-31)."""
    plane = t.main()
    namespace = t.namespace(["member1"])
    twice = {"path": "/data/%s%n%d 100%", "value": "x"}
    t.configmap(namespace, clusters=["member1"],
                overrides=[{"clusterName": "member1", "clusterOverrides": [twice, twice]}])
    message = (f'Failed to create ConfigMap "{namespace}/greet" in cluster "member1": '
               'path "/data/%s%n%d 100%" appears more than once for cluster "member1"')
    wait_told(plane, "greet", {("Warning", "CreateInClusterFailed", message)}, namespace)
    expect(t.host.get(FCM, namespace, "greet")["metadata"]["generation"], 1, "generation")


@test()
def a_finalizer_that_cannot_be_added_is_told(t):
    """Nothing is sent to a member before the finalizer is there."""
    plane, gadgets, _ = t.private(start=False)
    gadgets.create("thing")
    refusal = refuse_update(t, t.host, gadgets.fed, plane.namespace, "thing")
    plane.start()
    plane.wait_ready("member1", "member2")
    wait_told(plane, "thing", {("Warning", "EnsureFinalizerError", f"Failed to ensure finalizer: {refusal.text}")})
    for member in ("member1", "member2"):
        expect(gadgets.in_member(member, "thing"), None, f"object in {member}")
    refusal.end()
    gadgets.propagated("thing", timeout=RETRIED)


@test()
def operations_that_take_too_long_are_told(t):
    plane, gadgets, proxies = t.private(proxied=("member2",), config={"clusterHealthCheck": {"failureThreshold": 1000}})
    gadgets.create("before")
    gadgets.propagated("before")
    proxies["member2"].hang()
    gadgets.create("thing")
    eventually(lambda: expect(gadgets.clusters("thing"), {"member1": "", "member2": "CreationTimedOut"}, "clusters"))
    # Placed there alone: of both, member1 might have been late as well, and counted.
    gadgets.create("alone", ["member2"])

    def said(name, pattern):
        events = plane.events(name, reason=LATE)
        expect({e["type"] for e in events}, {"Warning"}, f"types of the events {LATE} of {name}")
        for event in events:
            assert re.fullmatch(pattern, event["message"]), event["message"]
    eventually(lambda: said("thing", r"Failed to finish [12] operations in \d+s"))
    eventually(lambda: said("alone", r"Failed to finish 1 operations in \d+s"))
    proxies["member2"].pass_on()
    gadgets.propagated("thing", timeout=RETRIED)
    gadgets.propagated("alone", ["member2"], timeout=RETRIED)


@test()
def unreadable_delete_options_are_told(t):
    """An event of ours: KubeFed only logs."""
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"], annotations={"kubefed.io/deleteoption": "{not json"})
    gadgets.propagated("thing", ["member1"])
    t.host.delete(gadgets.fed, plane.namespace, "thing")
    event = eventually(lambda: plane.events("thing", reason="InvalidDeleteOptions")[0])
    expect(event["type"], "Warning", "type")
    assert event["message"].startswith("annotation kubefed.io/deleteoption: "), event["message"]
    t.host.patch(gadgets.fed, plane.namespace, "thing", {"metadata": {"annotations": None}})
    t.gone(t.host, gadgets.fed, plane.namespace, "thing")


# ---- clusters

@test()
def an_unready_cluster_is_told_once(t):
    """With its name, and not again with every run (Q-56)."""
    plane, gadgets, proxies = t.private(proxied=("member2",), config=ONE_FAILURE)
    proxies["member2"].refuse()
    eventually(lambda: expect(k.condition(plane.cluster("member2"), "Offline").get("status"), "True", "Offline"))
    gadgets.create("thing")
    expected = {("Warning", "ClusterNotReady", "Cluster not ready: member2")}
    wait_told(plane, "thing", expected, reason="ClusterNotReady")
    # What is known is what the status says: a change before that is written makes its write stale, and the pass is new.
    eventually(lambda: expect(gadgets.clusters("thing")["member2"], "ClusterNotReady", "status of member2"))
    for lang in ("a", "b"):
        change(gadgets, lang=lang)
        eventually(lambda: expect(gadgets.in_member("member1", "thing")["data"], {"lang": lang}, "data in member1"))
    eventually(lambda: expect(sum(e["count"] for e in plane.events("thing", reason="UpdateInCluster")), 2, "updates"))
    expect(told(plane, "thing", reason="ClusterNotReady"), expected, "events")
    expect([e["count"] for e in plane.events("thing", reason="ClusterNotReady")], [1], "counts")


@test()
def a_missing_type_is_told(t):
    plane, gadgets, _ = t.private(missing_in=("member2",))
    # An object that is looked at while the first list is under way is told of nothing yet.
    plane.controller.wait_log(f"Cluster member2: cannot list {gadgets.plural}: ")
    gadgets.create("thing")
    expected = {"member1": "", "member2": "CachedRetrievalFailed"}
    eventually(lambda: expect(gadgets.clusters("thing"), expected, "clusters"))

    def said():
        events = plane.events("thing", reason="CachedRetrievalFailed")
        expect([e["type"] for e in events], ["Warning"], "types of the events")
        assert events[0]["message"].startswith("Failed to retrieve cached cluster object: "), events[0]["message"]
        assert "member2" in events[0]["message"], events[0]["message"]
    eventually(said)


@test()
def a_cache_that_is_being_filled_is_no_failure(t):
    """5.13: what waits for the first list of a new cluster is not told as a failure."""
    plane, gadgets, _ = t.private(members=("member1",))
    names = [f"thing-{n}" for n in range(5)]
    for name in names:
        gadgets.create(name, clusters=None, selector={})
    for name in names:
        gadgets.propagated(name, ["member1"])
    gadgets.install("member2")
    eventually(lambda: t.member2.list(gadgets.target))
    try:
        t.member2.create(k.NAMESPACES, None, {"metadata": {"name": plane.namespace}})
    except k.ApiError as e:
        assert e.code == 409, e
    plane.add_member("member2")
    for name in names:
        gadgets.propagated(name)
        eventually(lambda n=name: expect(len(plane.events(n, reason="CreateInCluster")), 2, f"creations of {n}"))
        expect(told(plane, name, reason="CachedRetrievalFailed"), set(), f"events of {name}")


@test()
def a_malformed_cluster_is_told_once(t):
    plane = t.plane("told", "Cluster", {"clusterHealthCheck": {"period": "500ms", "timeout": "1s"}}, start=True)
    server, ca = t.env.entry("member1")
    plane.add_cluster("member1", server, None, ca)
    expected = {("Warning", "MalformedClusterConfig", "The configuration for this cluster may be malformed: The secret "
                 'for cluster member1 is missing a non-empty value for "token"')}
    wait_told(plane, "member1", expected)
    # Many probes and some attempts later.
    stays(lambda: expect([e["count"] for e in plane.events("member1")], [1], "counts"), 4)
    expect(plane.events("member1")[0]["source"]["component"], "kubefedcluster-controller", "component")


@test()
def an_unreachable_cluster_is_told(t):
    # Each probe that fails is told, hence also one of a cluster that is well but late.
    plane = t.plane("told", "Cluster", {"clusterHealthCheck": {"period": "500ms", "timeout": "60s"}}, start=True)
    member = faults.PretendedMember()
    t.cleanup(member.close)
    plane.add_cluster("fake", member.endpoint, "a-token", None)
    plane.wait_ready("fake")
    expect(plane.events("fake"), [], "events of a cluster that is well")
    member.status = 503

    def said():
        events = plane.events("fake")
        expect({(e["type"], e["reason"], e["source"]["component"]) for e in events},
               {("Warning", "RetrievingClusterHealthFailed", "kubefedcluster-controller")}, "events")
        for event in events:
            assert event["message"].startswith("Failed to retrieve health of the cluster: "), event["message"]
            assert "503" in event["message"], event["message"]
    eventually(said)
