"""Statuses of member objects on the host: remoteStatus (controllers.md 6) and FederatedServiceStatus (7)."""
from harness import (FCM, FDEPLOY, FSVC, eventually, expect, k, settle, show, stays, test, write_counts, writes_between)
from test_alone import HEARTBEATS, OF_MEMBERS, SLOW, plane_of

FSS = "core.kubefed.io/v1alpha1/federatedservicestatuses"
STATUS_TYPE = {"group": "core.kubefed.io", "kind": "FederatedServiceStatus", "pluralName": "federatedservicestatuses",
               "scope": "Namespaced", "version": "v1alpha1"}
# Soon ready, and not lost again because an answer is late: there is an entry per ready cluster.
PATIENT = {"clusterHealthCheck": {"period": "1s", "timeout": "15s"}}
RAW = {"featureGates": [{"name": "PushReconciler", "configuration": "Enabled"},
                        {"name": "RawResourceStatusCollection", "configuration": "Enabled"},
                        {"name": "SchedulerPreferences", "configuration": "Enabled"}]}
WEB = {"spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": {
    "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}


def address(ip):
    return {"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}


def collect(t, plane, ftc, changes):
    """Changes the FTC's spec until the end of the test."""
    before = t.host.get(k.FTC, plane.namespace, ftc)["spec"]
    t.host.patch(k.FTC, plane.namespace, ftc, {"spec": changes})
    t.cleanup(lambda: t.host.patch(k.FTC, plane.namespace, ftc, {"spec": {key: before.get(key) for key in changes}}))


def entries(t, namespace, name="web"):
    found = t.host.get(FSS, namespace, name)
    return [(c["clusterName"], c.get("status")) for c in found.get("clusterStatus") or []]


@test(alone=True, smoke=True)
def statuses_of_services_are_collected(t):
    """Section 7: one entry per ready cluster, placed or not, sorted; owner reference; no write without a change."""
    plane = plane_of(t, PATIENT)
    collect(t, plane, "services", {"statusCollection": "Enabled", "statusType": STATUS_TYPE})
    with plane.running():
        def started():
            status = t.host.get(k.FTC, plane.namespace, "services")["status"]
            expect((status["propagationController"], status["statusController"]), ("Running", "Running"), "controllers")
        eventually(started)
        namespace = t.namespace()
        fed = t.federate(FSVC, namespace, "web", {"spec": {"ports": [{"port": 80}]}}, clusters=("member1",))
        t.propagated(FSVC, namespace, "web", ["member1"])
        empty = {"loadBalancer": {}}
        eventually(lambda: expect(entries(t, namespace), [("host", None), ("member1", empty), ("member2", None)], "statuses"))
        expect(t.host.get(FSS, namespace, "web")["metadata"]["ownerReferences"],
               [{"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedService", "name": "web",
                 "uid": fed["metadata"]["uid"]}], "ownerReferences")
        t.member1.patch(k.SERVICES, namespace, "web", address("192.0.2.7"), "status")
        eventually(lambda: expect(entries(t, namespace)[1], ("member1", address("192.0.2.7")["status"]), "status"))
        t.edit(FSVC, namespace, "web", lambda o: o["spec"]["placement"].update(clusters=[]))
        eventually(lambda: expect(entries(t, namespace)[1], ("member1", None), "status after the removal"))
        version = t.host.get(FSS, namespace, "web")["metadata"]["resourceVersion"]
        t.host.patch(FSVC, namespace, "web", {"metadata": {"annotations": {"some": "thing"}}})
        stays(lambda: expect(t.host.get(FSS, namespace, "web")["metadata"]["resourceVersion"], version, "version"), 2)
        t.host.delete(FSS, namespace, "web")
        eventually(lambda: expect(len(entries(t, namespace)), 3, "entries of the status object that was deleted"))
        t.host.delete(FSVC, namespace, "web")
        t.gone(t.host, FSVC, namespace, "web")
        t.gone(t.host, FSS, namespace, "web")


@test(alone=True)
def statuses_of_services_are_collected_without_propagation(t):
    """Section 3: the two controllers of a type are switched one by one."""
    plane = plane_of(t, PATIENT)
    with plane.running():
        namespace = t.namespace()
        t.federate(FSVC, namespace, "web", {"spec": {"ports": [{"port": 80}]}})
        t.propagated(FSVC, namespace, "web")
        collect(t, plane, "services", {"propagation": "Disabled", "statusCollection": "Enabled", "statusType": STATUS_TYPE})

        def switched():
            status = t.host.get(k.FTC, plane.namespace, "services")["status"]
            expect((status["propagationController"], status["statusController"]), ("NotRunning", "Running"), "controllers")
        eventually(switched)
        t.member2.patch(k.SERVICES, namespace, "web", address("192.0.2.8"), "status")
        eventually(lambda: expect(dict(entries(t, namespace))["member2"], address("192.0.2.8")["status"], "status"))
        t.edit(FSVC, namespace, "web", lambda o: o["spec"]["template"]["spec"].update(ports=[{"port": 81}]))
        stays(lambda: expect(t.member1.get(k.SERVICES, namespace, "web")["spec"]["ports"][0]["port"], 80, "port"), 1)


def remote(t, resource, namespace, name):
    found = t.host.get(resource, namespace, name).get("status", {}).get("clusters") or []
    return {c["name"]: c.get("remoteStatus") for c in found}


@test(alone=True, smoke=True)
def remote_statuses_are_collected(t):
    """Section 6: remoteStatus of each cluster for every type that has a status."""
    plane = plane_of(t, {**PATIENT, **RAW})
    for ftc in ("deployments.apps", "services", "configmaps"):
        collect(t, plane, ftc, {"statusCollection": "Enabled"})
    with plane.running():
        namespace = t.namespace()
        t.federate(FDEPLOY, namespace, "web", WEB)
        t.federate(FSVC, namespace, "web", {"spec": {"ports": [{"port": 80}]}})
        t.configmap(namespace)
        eventually(lambda: expect(remote(t, FSVC, namespace, "web"),
                                  {"member1": {"loadBalancer": {}}, "member2": {"loadBalancer": {}}}, "remoteStatus"))

        def follows():
            found = remote(t, FDEPLOY, namespace, "web")
            expect(sorted(found), ["member1", "member2"], "clusters in the status")
            for member, status in found.items():
                live = t.env.apis[member].get(k.DEPLOYMENTS, namespace, "web")["status"]
                assert live.get("observedGeneration"), f"{member}: not yet observed"
                expect(status, live, f"remoteStatus of {member}")
        eventually(follows)
        t.member1.patch(k.DEPLOYMENTS, namespace, "web", {"status": {"conditions": [
            {"type": "Odd", "status": "True", "reason": "Test", "message": "100% <&>",
             "lastTransitionTime": "2026-01-01T00:00:00Z", "lastUpdateTime": "2026-01-01T00:00:00Z"}]}}, "status")
        eventually(follows)
        # a kind without status neither turns the condition nor makes writes.
        t.propagated(FCM, namespace, "greet")
        version = t.host.get(FCM, namespace, "greet")["metadata"]["resourceVersion"]
        stays(lambda: expect(t.host.get(FCM, namespace, "greet")["metadata"]["resourceVersion"], version, "version"), 2)


@test(alone=True)
def collecting_statuses_makes_no_writes_in_peace(t):
    """P-06: no loop of status writes, whatever the kind; also with a cluster that is not ready."""
    plane = plane_of(t, {**SLOW, **RAW})
    for ftc in ("deployments.apps", "services", "configmaps", "namespaces"):
        collect(t, plane, ftc, {"statusCollection": "Enabled"})
    with plane.running():
        namespace = t.namespace()
        t.federate(FDEPLOY, namespace, "web", WEB)
        t.federate(FSVC, namespace, "web", {"spec": {"ports": [{"port": 80}]}})
        t.configmap(namespace)
        eventually(lambda: [expect(None in (remote(t, r, namespace, "web").values() or [None]), False, "missing")
                            for r in (FDEPLOY, FSVC)])
        settle(list(t.env.apis.values()), 2, ignore=HEARTBEATS | OF_MEMBERS)
        before = {name: write_counts(api) for name, api in t.env.apis.items()}
        stays(lambda: None, 10)
        for name in t.env.apis:
            # Finalizers and deletions are those of earlier tests, whose namespaces may still be on their way out.
            writes = {w: n for w, n in writes_between(before[name], write_counts(t.env.apis[name])).items()
                      if w not in HEARTBEATS | OF_MEMBERS and "federated" in w and w.endswith("/status") and "namespaces" not in w}
            expect(writes, {}, f"writes in {name}: {show(writes)}")
