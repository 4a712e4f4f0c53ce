"""Tests that need the clusters for themselves: members stopped and paused, restarts, kills, silence (no needless writes)."""
import time

from harness import (FCM, FDEPLOY, FNS, FSVC, check_propagated, eventually, expect, k, settle, test, write_counts,
                     writes_between)

# What the control plane writes by itself from time to time: its lock, its events about it, the heartbeat of clusters.
OF_MEMBERS = {"POST events", "PATCH events"}      # by their own controllers; ours tell their events on the host
HEARTBEATS = {"PUT configmaps", "PATCH configmaps", "POST configmaps", "POST events", "PATCH events", "PUT kubefedclusters/status",
              "PATCH kubefedclusters/status"}
# Kubernetes collects the records of deleted objects when it gets to it; the control plane never deletes one.
GARBAGE = {"DELETE propagatedversions", "DELETE clusterpropagatedversions"}
QUICK = {"clusterHealthCheck": {"period": "1s", "timeout": "1s"}}
# A killed leader keeps the lock that long.
SHORT_LOCK = {"leaderElect": {"leaseDuration": "12s", "renewDeadline": "10s", "retryPeriod": "1s"}, **QUICK}
SLOW = {"leaderElect": {"leaseDuration": "30m", "renewDeadline": "20m", "retryPeriod": "10m"},
        "clusterHealthCheck": {"period": "10m", "timeout": "10s"}}


def plane_of(t, config):
    """The main control plane, without a running controller, with these settings until the end of the test."""
    plane = t.main()
    if plane.controller.alive():
        plane.controller.stop()
    before = dict(plane.config)
    plane.write_config(config)
    t.cleanup(lambda: plane.write_config(before))
    return plane


def example(t, namespace, count=20):
    for number in range(count):
        t.configmap(namespace, f"c{number}", data={"n": str(number)})
    t.federate(FDEPLOY, namespace, "web", {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
    t.federate(FSVC, namespace, "web", {"spec": {"type": "NodePort", "ports": [{"name": "http", "port": 80}]}},
               overrides=[{"clusterName": "member2", "clusterOverrides": [{"path": "/metadata/annotations", "op": "add",
                                                                          "value": {"a": "b"}}]}])


def all_propagated(t, namespace, count=20, timeout=90):
    def ready():
        found = t.host.list(FCM, namespace)
        expect(len(found), count, "FederatedConfigMaps")
        for obj in found:
            check_propagated({"kind": "FederatedConfigMap", **obj}, ["member1", "member2"])
    eventually(ready, timeout)
    t.propagated(FDEPLOY, namespace, "web")
    t.propagated(FSVC, namespace, "web")
    t.propagated(FNS, namespace, namespace)


def resource_versions(t, namespace):
    return {f"{r} {o['metadata']['name']}": o["metadata"]["resourceVersion"]
            for r in (FCM, FDEPLOY, FSVC, FNS, k.PV) for o in t.host.list(r, namespace)}


@test(alone=True)
def a_member_whose_api_server_stops_and_starts(t):
    plane = plane_of(t, QUICK)
    with plane.running():
        namespace = t.namespace()
        t.configmap(namespace, "before")
        t.propagated(FCM, namespace, "before")
        t.cleanup(lambda: t.env.lab("start", "member2"))
        t.env.lab("stop", "member2")

        def offline():
            condition = k.condition(plane.cluster("member2"), "Offline")
            expect((condition.get("status"), condition.get("reason")), ("True", "ClusterNotReachable"), "Offline of member2")
            expect(k.condition(plane.cluster("member2"), "Ready"), {}, "Ready of member2")
        eventually(offline)
        t.configmap(namespace, "during")
        eventually(lambda: t.member1.get(k.CONFIGMAPS, namespace, "during"), timeout=30)
        eventually(lambda: expect(t.host.get(FCM, namespace, "during")["status"]["clusters"],
                                  [{"name": "member1"}, {"name": "member2", "status": "ClusterNotReady"}], "clusters"))
        t.env.lab("start", "member2")
        plane.wait_ready("member2", timeout=60)
        for name in ("before", "during"):
            t.propagated(FCM, namespace, name, timeout=60)
        t.member2.get(k.CONFIGMAPS, namespace, "during")


@test(alone=True)
def a_member_that_is_paused_and_resumed(t):
    plane = plane_of(t, QUICK)
    with plane.running():
        namespace = t.namespace()
        t.configmap(namespace, "before")
        t.propagated(FCM, namespace, "before")
        t.cleanup(lambda: t.env.lab("resume", "member2"))
        t.env.lab("pause", "member2")
        for number in range(5):
            t.configmap(namespace, f"during-{number}")
        for number in range(5):
            eventually(lambda n=number: t.member1.get(k.CONFIGMAPS, namespace, f"during-{n}"), timeout=30)
        eventually(lambda: expect(k.condition(plane.cluster("member2"), "Offline").get("status"), "True", "Offline of member2"))
        t.env.lab("resume", "member2")
        plane.wait_ready("member2", timeout=60)
        for number in range(5):
            t.propagated(FCM, namespace, f"during-{number}", timeout=60)


@test(alone=True)
def the_host_stops_and_starts(t):
    """The controller manager outlives a short outage of the host, or ends in good order so that it can be restarted."""
    plane = plane_of(t, {"leaderElect": {"leaseDuration": "5m", "renewDeadline": "4m", "retryPeriod": "1s"}})
    with plane.running() as controller:
        namespace = t.namespace()
        t.configmap(namespace, "before")
        t.propagated(FCM, namespace, "before")
        t.cleanup(lambda: t.env.lab("start", "host"))
        t.env.lab("stop", "host")
        t.env.lab("start", "host")
        eventually(lambda: t.host.list(FCM, namespace))
        assert controller.alive(), controller.describe_end()
        t.configmap(namespace, "after")
        t.propagated(FCM, namespace, "after")


@test(alone=True)
def killed_in_the_middle_of_creations_it_converges(t):
    plane = plane_of(t, SHORT_LOCK)
    controller = plane.start()
    namespace = t.namespace()
    t.propagated(FNS, namespace, namespace)
    for number in range(50):
        t.configmap(namespace, f"c{number}", data={"n": str(number)})
        if number == 25:
            controller.kill()
    eventually(lambda: expect(controller.alive(), False, "alive"))
    with plane.running():
        def there():
            for name, member in t.members.items():
                found = {o["metadata"]["name"]: o["data"] for o in member.list(k.CONFIGMAPS, namespace, "kubefed.io/managed=true")}
                expect(found, {f"c{n}": {"n": str(n)} for n in range(50)}, f"objects in {name}")
            for obj in t.host.list(FCM, namespace):
                check_propagated({"kind": "FederatedConfigMap", **obj}, ["member1", "member2"])
            expect(len(t.host.list(k.PV, namespace)), 51, "PropagatedVersions")
        eventually(there, 90)


@test(alone=True)
def killed_in_the_middle_of_deletions_it_converges(t):
    plane = plane_of(t, SHORT_LOCK)
    controller = plane.start()
    namespace = t.namespace()
    for number in range(30):
        t.configmap(namespace, f"c{number}")
    for number in range(30):
        t.propagated(FCM, namespace, f"c{number}")
    for number in range(30):
        t.host.delete(FCM, namespace, f"c{number}")
        if number == 15:
            controller.kill()
    with plane.running():
        eventually(lambda: expect(len(t.host.list(FCM, namespace)), 0, "federated objects left"), 90)
        for name, member in t.members.items():
            expect(len(member.list(k.CONFIGMAPS, namespace, "kubefed.io/managed=true")), 0, f"objects left in {name}")


def terminating(apis):
    return [ns["metadata"]["name"] for api in apis for ns in api.list(k.NAMESPACES) if ns["status"].get("phase") == "Terminating"]


@test(alone=True, smoke=True)
def silence_and_a_restart_write_nothing(t):
    """Ten quiet seconds, then a restart: no API server sees a single write but the lock and the heartbeats."""
    plane = plane_of(t, SLOW)
    apis = [t.host, t.member1, t.member2]
    names = ["host", "member1", "member2"]
    with plane.running():
        namespace = t.namespace()
        example(t, namespace)
        all_propagated(t, namespace)
        # What earlier tests left is still being removed by Kubernetes.
        eventually(lambda: expect(terminating(apis), [], "namespaces that are terminating"), 120)
        settle(apis, 2, ignore=HEARTBEATS | GARBAGE)
        before = [write_counts(a) for a in apis]
        time.sleep(10)
        for name, was, api in zip(names, before, apis):
            writes = {w: n for w, n in writes_between(was, write_counts(api)).items()
                      if w not in (HEARTBEATS | GARBAGE if name == "host" else OF_MEMBERS)}
            expect(writes, {}, f"writes to {name} in ten quiet seconds")
    settle(apis, 1, ignore=HEARTBEATS | GARBAGE)
    before = [write_counts(a) for a in apis]
    versions = resource_versions(t, namespace)
    with plane.running():
        plane.wait_ready("member1", "member2")
        # In sync again: a change is carried out.
        t.edit(FCM, namespace, "c0", lambda o: o["spec"]["template"].update(data={"n": "changed"}))
        t.propagated(FCM, namespace, "c0")
        settle(apis, 2, ignore=HEARTBEATS | GARBAGE)
        allowed = {"host": {"PUT federatedconfigmaps", "PUT federatedconfigmaps/status", "PUT propagatedversions/status",
                            "PATCH federatedconfigmaps/status", "PATCH propagatedversions/status"},
                   "member1": {"PUT configmaps", "PATCH configmaps"}, "member2": {"PUT configmaps", "PATCH configmaps"}}
        for name, was, api in zip(names, before, apis):
            writes = {w: n for w, n in writes_between(was, write_counts(api)).items()
                      if w not in (HEARTBEATS | GARBAGE if name == "host" else OF_MEMBERS)}
            assert all(w in allowed[name] and n <= 1 for w, n in writes.items()), \
                f"writes to {name} after a restart and one change: {writes}"
    now = resource_versions(t, namespace)
    for key in (f"{FCM} c0", f"{k.PV} configmap-c0"):
        now.pop(key), versions.pop(key)
    expect(now, versions, "resource versions on the host after the restart")


@test(alone=True)
def a_fight_with_another_writer_is_backed_off(t):
    """Something in the member changes an object again and again: the writes stay few."""
    plane = plane_of(t, QUICK)
    with plane.running():
        namespace = t.namespace()
        t.configmap(namespace)
        t.propagated(FCM, namespace, "greet")
        before = write_counts(t.member1)
        fights, until = 0, time.monotonic() + 10
        while time.monotonic() < until:
            if t.member1.get(k.CONFIGMAPS, namespace, "greet")["data"].get("lang") != "fight":
                t.member1.patch(k.CONFIGMAPS, namespace, "greet", {"data": {"lang": "fight"}})
                fights += 1
            time.sleep(0.01)
        # Each of our PATCHes above counts as well.
        puts = writes_between(before, write_counts(t.member1)).get("PUT configmaps", 0)
        assert puts <= 200, f"{puts} repairs in 10 s for {fights} changes"
        t.propagated(FCM, namespace, "greet")
        eventually(lambda: expect(t.member1.get(k.CONFIGMAPS, namespace, "greet")["data"], {"lang": "en"}, "data"), 60)


@test(alone=True)
def it_stays_small(t):
    """Not a measurement (that is make bench), only a bound that no honest build exceeds."""
    plane = plane_of(t, {})
    with plane.running() as controller:
        plane.wait_ready("member1", "member2")
        memory = controller.memory()
        assert memory < 600 * 1024, f"{memory} KiB resident"
