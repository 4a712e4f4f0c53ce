"""kubefedctl explain-schedule: what it says is what the controller does, and it changes nothing."""
import json

from cli_cases import must_begin
from harness import eventually, expect, k, test
from test_scheduling import RSP, Workloads, condition
from test_scheduling_room import Scene


def explained(plane, namespace, name="web"):
    return json.loads(plane.ctl("explain-schedule", name, "-n", namespace, "-o", "json"))


def agrees(plane, namespace, host, name="web"):
    """The explanation of the moment, once it is the one that was carried out; it has the reason that the status shows."""
    result = {}

    def does():
        doc = explained(plane, namespace, name)
        expect({c["name"]: c.get("replicas") for c in doc["clusters"]},
               {c["name"]: c.get("written") for c in doc["clusters"]}, "shares as explained, and as written")
        expect(doc["reason"], condition(host.get(RSP, namespace, name), "Scheduled")[1], "reason")
        result.update({c["name"]: c for c in doc["clusters"]})
    eventually(does)
    return result


@test(alone=True, smoke=True)
def shares_by_weight_are_explained(t):
    w = Workloads(t)
    w.create()
    w.prefer(9, clusters={"member1": {"weight": 1}, "member2": {"weight": 2, "maxReplicas": 4}, "member4": {"weight": 1}})
    w.wait({"member1": 5, "member2": 4, "member3": 0})
    w.run()
    eventually(lambda: expect([c["member"].get("readyReplicas") for c in agrees(w.plane, w.namespace, t.host).values()],
                              [5, 4, 0], "ready replicas"))
    # At rest: the status of the object follows what was seen in the members.
    w.gadgets.propagated("web", w.members)
    w.scheduled("True", "Scheduled")
    before = [t.host.get(kind, w.namespace, "web")["metadata"]["resourceVersion"] for kind in (RSP, w.gadgets.fed)]
    clusters = agrees(w.plane, w.namespace, t.host)
    assert "at most 4 (maxReplicas)" in clusters["member2"]["why"], clusters["member2"]
    expect((clusters["member3"]["role"], clusters["member3"]["why"]), ("NoPreference", 'no preference for it, and none for "*"'),
           "member3")
    text = w.plane.ctl("explain-schedule", "web", "-n", w.namespace)
    lines = text.splitlines()
    expect(lines[0], f"ReplicaSchedulingPreference {w.namespace}/web: 9 replicas of the {w.kind}, by weights", "first line")
    expect(lines[2].split(), ["CLUSTER", "REPLICAS", "WRITTEN", "READY", "WHY"], "headings")
    expect(lines[3].split()[:4], ["member1", "5", "5", "5/5"], "row of member1")
    assert "Scheduled: 9 of 9 replicas are placed" in text, text
    assert "Cannot be fulfilled: spec.clusters[member4]: there is no such cluster" in text, text
    assert "Not written" not in text and "status says" not in text, text
    yaml = w.plane.ctl("explain-schedule", "web", "-n", w.namespace, "-o", "yaml")
    assert "totalReplicas: 9\n" in yaml and "reason: Scheduled\n" in yaml, yaml
    expect([t.host.get(kind, w.namespace, "web")["metadata"]["resourceVersion"] for kind in (RSP, w.gadgets.fed)], before,
           "versions afterwards")


@test(alone=True)
def a_lost_cluster_is_explained(t):
    w = Workloads(t, proxied=("member3",))
    w.create()
    w.prefer(6, failover={"after": "1s", "returnAfter": "1h"})
    w.wait({"member1": 2, "member2": 2, "member3": 2})
    w.run()
    w.proxies["member3"].refuse()
    w.wait({"member1": 3, "member2": 3})
    lost = agrees(w.plane, w.namespace, t.host)["member3"]
    expect(lost["role"], "Lost", "role")
    assert lost["why"].startswith("not ready for "), lost
    w.proxies["member3"].pass_on()
    w.plane.wait_ready("member3")
    back = agrees(w.plane, w.namespace, t.host)["member3"]
    expect((back["role"], back["member"]["ready"]), ("Returning", True), "role of a cluster that is back")
    assert back["why"].startswith("ready again, used in "), back


@test(alone=True)
def an_intersection_is_explained(t):
    w = Workloads(t, members=("member1", "member2"))
    t.host.patch(k.KFC, w.namespace, "member1", {"metadata": {"labels": {"zone": "a"}}})
    w.create(selector={"matchLabels": {"zone": "a"}})
    w.prefer(4, intersectWithClusterSelector=True)
    w.wait({"member1": 4})
    expect({n: c["role"] for n, c in agrees(w.plane, w.namespace, t.host).items()},
           {"member1": "Candidate", "member2": "Unselected"}, "roles")


@test(alone=True)
def what_cannot_be_scheduled_is_explained(t):
    w = Workloads(t, members=("member1",))
    must_begin(w.plane.run_ctl("explain-schedule", "web", "-n", w.namespace),
               f'ReplicaSchedulingPreference "{w.namespace}/web" not found')
    must_begin(w.plane.run_ctl("explain-schedule"), "NAME of one")
    must_begin(w.plane.run_ctl("explain-schedule", "a", "b"), "NAME of one")
    w.prefer(2)
    expect(explained(w.plane, w.namespace)["message"], f'spec.targetKind: there is no {w.kind} "{w.namespace}/web"', "message")
    w.prefer(2, targetKind="FederatedNonsense")
    expect(explained(w.plane, w.namespace)["reason"], "TypeNotEnabled", "reason")
    w.prefer(-2)
    expect(explained(w.plane, w.namespace)["reason"], "InvalidSpec", "reason")
    text = w.plane.ctl("explain-schedule", "web", "-n", w.namespace)
    assert "InvalidSpec: spec.totalReplicas" in text, text


@test()
def room_and_what_was_promised_to_others_is_explained(t):
    """The pods of the other workload do not start: what it was given counts as used, as in the controller."""
    s = Scene(t, (4, 8))
    for nodes in s.nodes.values():
        nodes.pause()
    s.create("other")
    s.prefer(6, "other", strategy="FreeResources")
    s.wait(2, 4, "other")
    s.create()
    s.prefer(3, strategy="FreeResources")
    s.wait(1, 2)

    def beside_the_other():     # the pods of both come into being meanwhile
        found = agrees(t.main(), s.namespace, t.host)
        expect({n: found[n]["member"]["room"] for n in s.nodes}, {"member1": 2, "member2": 4}, "room beside the other")
        expect({n: found[n]["why"] for n in s.nodes}, {"member1": "room for 2", "member2": "room for 4"}, "why")
    eventually(beside_the_other)
    for nodes in s.nodes.values():
        nodes.resume()
    s.ready(1, 2)
    s.ready(2, 4, "other")
    eventually(lambda: expect({n: agrees(t.main(), s.namespace, t.host)[n]["why"] for n in s.nodes},
                              {"member1": "room for 2, 1 of them used by it",
                               "member2": "room for 4, 2 of them used by it"}, "why"))
