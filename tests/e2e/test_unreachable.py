"""Deletions while a member cannot be reached: who is missing, leaving behind, and removal on return (docs/propagation.md)."""
import json

from harness import BEFORE_RETRY, eventually, expect, k, stays, test

AFTER = "kubefed.io/orphan-unreachable-after"
PENDING = "kubefed-pending-removals"
# One failure is enough, and a member that refuses fails at once; the other one may take its time.
CHECK = {"clusterHealthCheck": {"failureThreshold": 1, "timeout": "30s"}}


def lose(plane, proxy, member="member2"):
    proxy.refuse()

    def lost():
        ready = k.condition(plane.cluster(member), "Ready")
        assert ready.get("status") != "True", f"{member} still counts as ready"
    eventually(lost, 90)


def pending(t, plane):
    """{cluster: [entry]} of what was put off."""
    found = t.host.find(k.CONFIGMAPS, plane.namespace, PENDING)
    return {c: json.loads(text) for c, text in ((found or {}).get("data") or {}).items() if text}


def gone_from_host(t, plane, gadgets, name, timeout=90):
    t.gone(t.host, gadgets.fed, plane.namespace, name, timeout)


def delete(t, plane, gadgets, name):
    t.host.delete(gadgets.fed, plane.namespace, name)


def start(t, annotations=None, name="thing"):
    plane, gadgets, proxies = t.private(proxied=("member2",), config=CHECK)
    gadgets.create(name, annotations=annotations)
    gadgets.propagated(name)
    return plane, gadgets, proxies["member2"]


@test(smoke=True)
def the_status_names_the_member_that_a_deletion_waits_for(t):
    """The default: wait, as 5.11; the finalizer stays, status and event name the member."""
    plane, gadgets, proxy = start(t)
    lose(plane, proxy)
    delete(t, plane, gadgets, "thing")

    def named():
        expect(gadgets.clusters("thing"), {"member2": "ClusterNotReady"}, "clusters in the status")
        condition = k.condition(gadgets.get("thing"), "Propagation")
        expect((condition["status"], condition.get("reason")), ("False", "CheckClusters"), "condition")
    eventually(named)
    t.gone(t.member1, gadgets.target, plane.namespace, "thing")

    def said():
        messages = [e["message"] for e in plane.events("thing", reason="WaitForRemovalInCluster")]
        expect(messages, ["Waiting for managed resources to be removed from the following clusters: member2"], "events")
    eventually(said)
    stays(lambda: gadgets.get("thing"), 2)
    proxy.pass_on()
    gone_from_host(t, plane, gadgets, "thing", 60)
    expect(gadgets.in_member("member2", "thing"), None, "object in member2")


@test(smoke=True)
def a_member_that_stays_away_is_left_behind_and_cleaned_on_its_return(t):
    plane, gadgets, proxy = start(t, {AFTER: "2s"})
    uid = gadgets.in_member("member2", "thing")["metadata"]["uid"]
    lose(plane, proxy)
    delete(t, plane, gadgets, "thing")
    gone_from_host(t, plane, gadgets, "thing")
    entries = pending(t, plane)
    expect(list(entries), ["member2"], "clusters with removals")
    expect((entries["member2"][0]["type"], entries["member2"][0]["key"], entries["member2"][0]["uid"]),
           (gadgets.ftc, f"{plane.namespace}/thing", uid), "entry")
    eventually(lambda: expect(len(plane.events("thing", reason="LeftInUnreachableCluster")), 1, "events"))
    assert gadgets.in_member("member2", "thing"), "nothing could have been removed"
    proxy.pass_on()
    t.gone(t.member2, gadgets.target, plane.namespace, "thing", 60)
    eventually(lambda: expect(pending(t, plane), {}, "removals put off"))


@test()
def a_removal_put_off_survives_a_restart(t):
    plane, gadgets, proxy = start(t, {AFTER: "0s"})
    lose(plane, proxy)
    delete(t, plane, gadgets, "thing")
    gone_from_host(t, plane, gadgets, "thing")
    plane.controller.kill(unlock=True)
    proxy.pass_on()
    plane.start()
    t.gone(t.member2, gadgets.target, plane.namespace, "thing", 60)
    eventually(lambda: expect(pending(t, plane), {}, "removals put off"))


@test()
def a_new_object_of_the_name_takes_the_place_of_a_removal_put_off(t):
    plane, gadgets, proxy = start(t, {AFTER: "0s"})
    uid = gadgets.in_member("member2", "thing")["metadata"]["uid"]
    lose(plane, proxy)
    delete(t, plane, gadgets, "thing")
    gone_from_host(t, plane, gadgets, "thing")
    gadgets.create("thing", data={"lang": "de"})
    proxy.pass_on()
    gadgets.propagated("thing", timeout=60)
    eventually(lambda: expect(pending(t, plane), {}, "removals put off"))
    live = gadgets.in_member("member2", "thing")
    expect((live["metadata"]["uid"], live["data"]), (uid, {"lang": "de"}), "the same object, updated")


@test()
def another_object_of_the_name_is_not_removed_in_its_place(t):
    """The member's people replaced the object meanwhile: only the label goes, as for any object without federated object."""
    plane, gadgets, proxy = start(t, {AFTER: "0s"})
    lose(plane, proxy)
    delete(t, plane, gadgets, "thing")
    gone_from_host(t, plane, gadgets, "thing")
    t.member2.delete(gadgets.target, plane.namespace, "thing")
    t.member2.create(gadgets.target, plane.namespace, {
        "metadata": {"name": "thing", "labels": {"kubefed.io/managed": "true"}}, "data": {"whose": "theirs"}})
    proxy.pass_on()

    def unlabelled():
        live = gadgets.in_member("member2", "thing")
        assert live and "kubefed.io/managed" not in (live["metadata"].get("labels") or {}), live
    eventually(unlabelled, 60)
    eventually(lambda: expect(pending(t, plane), {}, "removals put off"))
    stays(lambda: expect(gadgets.in_member("member2", "thing")["data"], {"whose": "theirs"}, "their object"), 1)


@test()
def removals_put_off_go_with_their_cluster(t):
    plane, gadgets, proxy = start(t, {AFTER: "0s"})
    lose(plane, proxy)
    delete(t, plane, gadgets, "thing")
    gone_from_host(t, plane, gadgets, "thing")
    expect(list(pending(t, plane)), ["member2"], "clusters with removals")
    t.host.delete(k.KFC, plane.namespace, "member2")
    eventually(lambda: expect(pending(t, plane), {}, "removals put off"))
    assert gadgets.in_member("member2", "thing"), "an unregistered cluster is not touched"


@test()
def removals_put_off_go_with_a_cluster_that_was_removed_meanwhile(t):
    """Nobody ran when the cluster was unregistered, or registered anew: what was put off there means nothing any more."""
    plane, gadgets, proxy = start(t, {AFTER: "0s"})
    lose(plane, proxy)
    delete(t, plane, gadgets, "thing")
    gone_from_host(t, plane, gadgets, "thing")
    plane.controller.kill(unlock=True)
    before = t.host.get(k.KFC, plane.namespace, "member2")
    t.host.delete(k.KFC, plane.namespace, "member2")
    plane.start()
    eventually(lambda: expect(pending(t, plane), {}, "removals put off"))
    proxy.pass_on()
    t.host.create(k.KFC, plane.namespace, {"metadata": {"name": "member2"}, "spec": before["spec"]})
    plane.wait_ready("member2")
    stays(lambda: expect(bool(gadgets.in_member("member2", "thing")), True, "the object"), 2)


@test()
def never_wins_over_the_flag_and_a_bad_value_waits(t):
    plane, gadgets, proxies = t.private(proxied=("member2",), start=False, config=CHECK)
    plane.start(arguments=("--orphan-unreachable-after", "1s"))
    plane.wait_ready("member1", "member2")
    plane.wait_running(gadgets.ftc)
    for name, value in (("default", None), ("never", "never"), ("bad", "soon")):
        gadgets.create(name, annotations={AFTER: value} if value else None)
    for name in ("default", "never", "bad"):
        gadgets.propagated(name)
    lose(plane, proxies["member2"])
    for name in ("default", "never", "bad"):
        delete(t, plane, gadgets, name)
    gone_from_host(t, plane, gadgets, "default")

    def complained():
        messages = [e["message"] for e in plane.events("bad", reason="InvalidOrphanUnreachableAfter")]
        assert messages and AFTER in messages[0] and "never" in messages[0], messages
    eventually(complained)
    stays(lambda: [gadgets.get("never"), gadgets.get("bad")], 3)
    proxies["member2"].pass_on()
    for name in ("never", "bad", "default"):
        gone_from_host(t, plane, gadgets, name, 60)
        t.gone(t.member2, gadgets.target, plane.namespace, name, 60)


@test()
def orphaning_is_not_held_by_a_member_that_is_down(t):
    """5.11 step 3: the finalizer goes; the label goes when the member returns (P-07)."""
    annotations = {"kubefed.io/orphan": "true"}
    plane, gadgets, proxy = start(t, annotations, "thing-0")
    names = [f"thing-{number}" for number in range(3)]
    for name in names[1:]:
        gadgets.create(name, annotations=annotations)
        gadgets.propagated(name)
    lose(plane, proxy)
    deleted = []

    def orphaned(number):
        deleted.append(names[number])
        delete(t, plane, gadgets, names[number])
        gone_from_host(t, plane, gadgets, names[number])
    t.quickly(orphaned, below=BEFORE_RETRY)
    proxy.pass_on()

    def unlabelled():
        for member in ("member1", "member2"):
            for name in deleted:
                live = gadgets.in_member(member, name)
                assert live and "kubefed.io/managed" not in (live["metadata"].get("labels") or {}), (member, live)
    eventually(unlabelled, 90)
