"""Rules of docs/compatibility.md that no other file shows: quirks that are gone (Q-nn), costs that are gone (P-nn)."""
import datetime
import http.client
import re
import socket
import threading
import time

import faults
import hashes
from harness import (BEFORE_RETRY, FCM, FDEPLOY, FNS, MANAGED, MEMBER_TIMEOUT, Gadgets, crd, eventually, expect, k, stays,
                     test, write_counts, writes_between)
from refusals import refuse_creation, refuse_deletion, refuse_status
from test_alone import plane_of

# Nothing but what a test causes.
QUIET = {"clusterHealthCheck": {"period": "10m", "timeout": "60s"},
         "leaderElect": {"leaseDuration": "30m", "renewDeadline": "20m", "retryPeriod": "10m"}}
LASTING = {"clusterHealthCheck": {"failureThreshold": 1000}}
# One failed probe makes a cluster unready: then none may fail because the machine is busy.
ONE_FAILURE = {"failureThreshold": 1, "timeout": "20s"}
# What failed is tried again after a minute at the latest.
RETRIED = 150
SLOW = "e2e.example.com/slow"


def place(gadgets, *members, name="thing"):
    gadgets.case.edit(gadgets.fed, gadgets.plane.namespace, name, lambda o: o["spec"].update(
        placement={"clusters": [{"name": m} for m in members]}))


def change(gadgets, name="thing", lang="pl"):
    return gadgets.case.edit(gadgets.fed, gadgets.plane.namespace, name, lambda o: o["spec"]["template"].update(
        data={"lang": lang}))


def ftc_status(t, plane, name):
    return (t.host.find(k.FTC, plane.namespace, name) or {}).get("status") or {}


def recorded(t, gadgets, name="thing"):
    """{cluster: version} of the object's PropagatedVersion."""
    record = t.host.get(k.PV, gadgets.plane.namespace, f"{gadgets.kind.lower()}-{name}")
    return {c["clusterName"]: c["version"] for c in (record.get("status") or {}).get("clusterVersions") or []}


def writes_of(api, *words):
    """Writes so far to resources whose name has one of these words, without deletions: Kubernetes itself deletes all
    kinds of objects from each namespace that ends, and another test may end one."""
    return {w: n for w, n in write_counts(api).items()
            if any(word in w for word in words) and not w.startswith("DELETE")}


# ---- metrics

def start_with_metrics(t, plane):
    """Starts the controller; returns a function that reads /metrics."""
    controller = plane.start()
    controller.wait_log("Serving metrics on port ")
    port = int(re.search(r"Serving metrics on port (\d+)", controller.log()).group(1))

    def read():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/metrics")
        answer = connection.getresponse().read().decode()
        connection.close()
        return answer
    return read


def requests_sent(metrics):
    """{cluster: requests}; the host is ''."""
    found = re.findall(r'^kubefed_api_requests_sent_total\{cluster="([^"]*)"\} (\d+)$', metrics, re.M)
    return {cluster: int(count) for cluster, count in found}


def wait_silence(read, seconds=3, timeout=90):
    """The requests sent so far, when none was sent for that long."""
    last, since, deadline = requests_sent(read()), time.monotonic(), time.monotonic() + timeout
    while time.monotonic() - since < seconds:
        assert time.monotonic() < deadline, f"requests do not end: {last}"
        time.sleep(0.2)
        now = requests_sent(read())
        if now != last:
            last, since = now, time.monotonic()
    return last


# ---- section 3: FederatedTypeConfigs

@test()
def section3_status_has_both_controllers(t):
    plane, gadgets, _ = t.private(members=("member1",))
    ftc = t.host.get(k.FTC, plane.namespace, gadgets.ftc)
    expect(ftc["status"], {"observedGeneration": ftc["metadata"]["generation"], "propagationController": "Running",
                           "statusController": "NotRunning"}, "status")


@test()
def section3_namespaced_types_wait_for_the_namespaces_type(t):
    plane, gadgets, _ = t.private(members=("member1",), start=False)
    t.host.delete(k.FTC, plane.namespace, "namespaces")
    controller = plane.start()
    controller.wait_log(f'Unable to start sync controller for "Federated{gadgets.kind}" due to missing '
                        "FederatedTypeConfig for namespaces")
    plane.wait_running(gadgets.ftc, state="NotRunning")

    def starts(number):
        if number:
            t.host.delete(k.FTC, plane.namespace, "namespaces")
            t.gone(t.host, k.FTC, plane.namespace, "namespaces")
            plane.wait_running(gadgets.ftc, state="NotRunning")
        began = time.monotonic()
        plane.add_type("v1/namespaces", namespaced=False, fed_scope="Namespaced")
        eventually(lambda: expect(ftc_status(t, plane, gadgets.ftc).get("propagationController"), "Running", "controller"))
        return began
    t.quickly(starts, below=BEFORE_RETRY)


@test()
def section3_a_changed_type_is_refreshed(t):
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])
    t.host.patch(k.FTC, plane.namespace, gadgets.ftc, {"spec": {"statusCollection": "Enabled"}})
    plane.controller.wait_log("refreshing sync controller for ")
    plane.wait_running(gadgets.ftc)
    change(gadgets)
    gadgets.propagated("thing", ["member1"])
    expect(gadgets.in_member("member1", "thing")["data"], {"lang": "pl"}, "data in member1")


@test()
def q09_a_type_that_is_created_disabled_never_starts(t):
    plane, _, _ = t.private(members=("member1",))
    other = Gadgets(t, plane, ("member1",))
    plane.add_type(other.target, propagation="Disabled")
    plane.wait_running(other.ftc, state="NotRunning")
    other.create("thing", ["member1"])

    def idle():
        expect(f'"Federated{other.kind}"' in plane.controller.log(), False, "the log speaks of its controller")
        expect(ftc_status(t, plane, other.ftc).get("propagationController"), "NotRunning", "controller")
        expect(other.get("thing")["metadata"].get("finalizers"), None, "finalizers")
    stays(idle, 2)
    t.host.patch(k.FTC, plane.namespace, other.ftc, {"spec": {"propagation": "Enabled"}})
    other.propagated("thing", ["member1"])


@test()
def q46_a_terminating_namespaces_type_counts_as_absent(t):
    plane, gadgets, _ = t.private(members=("member1",))
    t.host.patch(k.FTC, plane.namespace, "namespaces", {"metadata": {"finalizers": [SLOW]}})
    t.host.delete(k.FTC, plane.namespace, "namespaces")
    plane.wait_running(gadgets.ftc, state="NotRunning")
    assert t.host.get(k.FTC, plane.namespace, "namespaces")["metadata"].get("deletionTimestamp"), "it is terminating"
    t.host.patch(k.FTC, plane.namespace, "namespaces", {"metadata": {"finalizers": None}})
    t.gone(t.host, k.FTC, plane.namespace, "namespaces")
    plane.add_type("v1/namespaces", namespaced=False, fed_scope="Namespaced")
    plane.wait_running(gadgets.ftc)


@test()
def q59_a_terminating_type_is_released_in_limited_scope(t):
    plane, _, _ = t.private(members=("member1",), start=False)
    t.host.patch(k.FTC, plane.namespace, "namespaces",
                 {"metadata": {"finalizers": ["core.kubefed.io/federated-type-config"]}})
    t.host.delete(k.FTC, plane.namespace, "namespaces")
    assert t.host.get(k.FTC, plane.namespace, "namespaces")["metadata"]["deletionTimestamp"]
    plane.start()
    t.gone(t.host, k.FTC, plane.namespace, "namespaces")


# ---- section 4: clusters

@test()
def section45_a_removed_cluster_leaves_status_and_versions(t):
    plane, gadgets, _ = t.private()
    gadgets.create("thing", clusters=None, selector={})
    gadgets.propagated("thing")
    eventually(lambda: expect(sorted(recorded(t, gadgets)), ["member1", "member2"], "recorded versions"))
    t.host.delete(k.KFC, plane.namespace, "member2")
    gadgets.propagated("thing", ["member1"])
    eventually(lambda: expect(sorted(recorded(t, gadgets)), ["member1"], "recorded versions"))
    expect(gadgets.in_member("member2", "thing")["metadata"]["labels"], {MANAGED: "true"}, "labels in member2")


@test()
def section25_the_path_of_an_endpoint_is_a_prefix(t):
    plane = t.plane("prefix", "Cluster", {"clusterHealthCheck": {"period": "500ms", "timeout": "1s"}}, start=True)
    member = faults.PretendedMember()
    t.cleanup(member.close)
    plane.add_cluster("fake", member.endpoint + "/k8s/clusters/c-1", "a-token", None)
    eventually(lambda: expect(set(member.requests), {"/k8s/clusters/c-1/healthz"}, "paths asked for"))


@test()
def q11_the_old_thresholds_can_be_switched_back(t):
    """A cluster that has been ready for long is offline after one failed probe then."""
    plane = t.plane("old", "Cluster", {"clusterHealthCheck": {"period": "2s", "timeout": "60s"}})
    plane.start(["--behavior", "ConsecutiveProbes=false"])
    member = faults.PretendedMember()
    t.cleanup(member.close)
    plane.add_cluster("fake", member.endpoint, "a-token", None)
    plane.wait_ready("fake")
    eventually(lambda: expect(member.requests.count("/healthz") >= 6, True, "six probes"))

    def ready_since():
        ready = k.condition(plane.cluster("fake"), "Ready")
        expect(ready.get("status"), "True", "Ready")
        return ready["lastTransitionTime"]
    since = ready_since()

    def again():    # offline for one probe, which may be missed: but it is ready since another time
        expect(member.failures, 0, "failures to come")
        assert ready_since() != since, f"the cluster is ready since {since} in spite of a failed probe"

    def chance():   # one failure at a time: what is not stored when the next probe succeeds may never be
        member.failures = 1
        eventually(again, 30)
    t.once_of(3, chance)


class TunnelProxy:
    """An HTTP proxy that knows CONNECT only, and remembers for whom it was used."""

    def __init__(self):
        self.targets = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(65536)
            if not data:
                return
            head += data
        method, target = head.split()[:2]
        self.targets.append(f"{method.decode()} {target.decode()}")
        host, port = target.decode().rsplit(":", 1)
        server = socket.create_connection((host.strip("[]"), int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
        self._pump(server, client)

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            s.close()

    def close(self):
        self._listener.close()


@test()
def q08_a_proxy_is_used_with_disabled_tls_checks(t):
    plane = t.plane("proxied", "Cluster", {"clusterHealthCheck": {"period": "1s", "timeout": "2s"}}, start=True)
    proxy = TunnelProxy()
    t.cleanup(proxy.close)
    server, _ = t.env.entry("member1")
    plane.add_cluster("member1", server, t.env.admin_token("member1"), None, proxyURL=proxy.url,
                      disabledTLSValidations=["*"])
    plane.wait_ready("member1")
    expect(set(proxy.targets), {"CONNECT " + server.split("//")[1].strip("/")}, "what the proxy was asked for")


@test()
def q12_metrics_of_a_removed_cluster_go(t):
    plane = t.plane("metrics", "Cluster", {"clusterHealthCheck": {"period": "1s", "timeout": "1s"}})
    read = start_with_metrics(t, plane)
    for name in ("one", "two"):
        member = faults.PretendedMember()
        t.cleanup(member.close)
        plane.add_cluster(name, member.endpoint, "a-token", None)
    plane.wait_ready("one", "two")

    def told(*names):
        metrics = read()
        expect(set(re.findall(r'^kubefedcluster_total\{cluster="(\w+)",state="ready"\} 1$', metrics, re.M)), set(names),
               "ready clusters in the metrics")
    eventually(lambda: told("one", "two"))
    t.host.delete(k.KFC, plane.namespace, "two")
    eventually(lambda: told("one"))
    eventually(lambda: expect([line for line in read().splitlines() if '"two"' in line], [],
                              "lines about the removed cluster"))


# ---- section 5: propagation

@test()
def section54_an_object_that_is_slow_to_go_is_waited_for(t):
    plane, gadgets, _ = t.private()
    gadgets.create("thing")
    gadgets.propagated("thing")
    t.member2.patch(gadgets.target, plane.namespace, "thing", {"metadata": {"finalizers": [SLOW]}})
    place(gadgets, "member1")

    def waiting():
        expect(gadgets.clusters("thing"), {"member1": "", "member2": "WaitingForRemoval"}, "clusters")
        condition = k.condition(gadgets.get("thing"), "Propagation")
        expect((condition["status"], condition.get("reason")), ("False", "CheckClusters"), "condition")
    eventually(waiting)
    stays(waiting, 1)
    t.member2.patch(gadgets.target, plane.namespace, "thing", {"metadata": {"finalizers": None}})
    gadgets.propagated("thing", ["member1"])


def add_global_type(t, plane):
    """A cluster-scoped target type in the shared control plane; its (kind, target, federated)."""
    number = t.env.number("globe")
    kind, plural = f"Globe{number}", f"globe{number}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    for member in t.members.values():
        member.create(k.CRDS, None, crd("e2e.example.com", "v1", plural, kind, schema, "Cluster"))
    t.host.create(k.CRDS, None, crd("types.kubefed.io", "v1beta1", "federated" + plural, "Federated" + kind, schema,
                                    "Cluster"))
    target, fed = f"e2e.example.com/v1/{plural}", k.FED + plural
    for api, resource in ((t.member1, target), (t.member2, target), (t.host, fed)):
        eventually(lambda a=api, r=resource: a.list(r))
    plane.add_type(target, namespaced=False)
    t.cleanup(lambda: t.host.delete(k.FTC, plane.namespace, f"{plural}.e2e.example.com"))
    plane.wait_running(f"{plural}.e2e.example.com")
    return kind, target, fed


@test()
def section59_cluster_scoped_objects_have_cluster_records(t):
    """Own placement only, a ClusterPropagatedVersion, events in the namespace default."""
    plane = t.main()
    kind, target, fed = add_global_type(t, plane)
    name = t.unique("world")
    uid = t.federate(fed, None, name, {"data": {"lang": "en"}}, overrides=[{
        "clusterName": "member2", "clusterOverrides": [{"path": "/data/lang", "value": "pl"}]}])["metadata"]["uid"]
    t.propagated(fed, None, name)
    for member, lang in (("member1", "en"), ("member2", "pl")):
        obj = t.members[member].get(target, None, name)
        expect((obj["data"], obj["metadata"]["labels"]), ({"lang": lang}, {MANAGED: "true"}), f"object in {member}")

    def record():
        found, spec = t.host.get(k.CPV, None, f"{kind.lower()}-{name}"), t.host.get(fed, None, name)["spec"]
        owner = {"apiVersion": "types.kubefed.io/v1beta1", "kind": "Federated" + kind, "name": name, "uid": uid}
        expect(found["metadata"]["ownerReferences"], [owner], "owner")
        versions = [{"clusterName": m, "version": version_of(api.get(target, None, name))}
                    for m, api in sorted(t.members.items())]
        expect(found["status"], {"templateVersion": hashes.template_version(spec), "clusterVersions": versions,
                                 "overridesVersion": hashes.overrides_version(spec)}, "status")
    eventually(record)
    eventually(lambda: expect({e["message"] for e in plane.events(name, "default", "CreateInCluster")},
                              {f'Creating {kind} "{name}" in cluster "{m}"' for m in t.members}, "events"))
    t.host.delete(fed, None, name)
    for api, resource in ((t.member1, target), (t.member2, target), (t.host, fed)):
        t.gone(api, resource, None, name)
    # The garbage collector learns new kinds every 30 s, and pauses meanwhile; other tests make more of them.
    t.gone(t.host, k.CPV, None, f"{kind.lower()}-{name}", timeout=240)


def version_of(obj):
    generation = obj["metadata"].get("generation")
    return f"gen:{generation}" if generation else f"rv:{obj['metadata']['resourceVersion']}"


@test()
def section511_a_removed_cluster_holds_no_deletion(t):
    plane, gadgets, proxies = t.private(proxied=("member2",), config={"clusterHealthCheck": ONE_FAILURE})
    registered = plane.cluster("member2")["spec"]

    def register_again():
        proxies["member2"].pass_on()
        t.host.create(k.KFC, plane.namespace, {"metadata": {"name": "member2"}, "spec": registered})
        plane.wait_ready("member2")

    def ends(number):
        name = f"thing-{number}"
        if number:
            register_again()
        gadgets.create(name)
        gadgets.propagated(name)
        proxies["member2"].refuse()
        eventually(lambda: lost(plane, "member2"))
        t.host.delete(gadgets.fed, plane.namespace, name)
        eventually(lambda: expect(gadgets.in_member("member1", name), None, "object in member1"))
        stays(lambda: gadgets.get(name), 1)
        began = time.monotonic()
        t.host.delete(k.KFC, plane.namespace, "member2")
        t.gone(t.host, gadgets.fed, plane.namespace, name)
        expect(gadgets.in_member("member2", name)["metadata"]["labels"], {MANAGED: "true"}, "labels of what stays")
        return began
    t.quickly(ends, below=BEFORE_RETRY)


@test()
def q14_finalizers_of_others_are_not_lost(t):
    """Somebody adds a finalizer to each object in the moment when ours is added."""
    plane, gadgets, _ = t.private(members=("member1",))
    names = [f"thing-{n}" for n in range(40)]

    def add_other(some):
        for name in some:
            gadgets.create(name, ["member1"])
            t.edit(gadgets.fed, plane.namespace, name,
                   lambda o: o["metadata"].update(finalizers=(o["metadata"].get("finalizers") or []) + [SLOW]))
    workers = [threading.Thread(target=add_other, args=(names[n::4],)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    def both():
        for name in names:
            expect(sorted(gadgets.get(name)["metadata"].get("finalizers") or []), [SLOW, "kubefed.io/sync-controller"],
                   f"finalizers of {name}")
    eventually(both)
    stays(both, 1)


@test()
def q15_delete_options_are_for_deletions(t):
    """A Deployment leaves the placement: its ReplicaSets go with it, whatever the annotation says."""
    t.main()
    namespace = t.namespace()
    template = {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}
    t.federate(FDEPLOY, namespace, "web", template,
               annotations={"kubefed.io/deleteoption": '{"propagationPolicy":"Orphan"}'})
    t.propagated(FDEPLOY, namespace, "web")
    eventually(lambda: expect(len(t.member1.list("apps/v1/replicasets", namespace)), 1, "ReplicaSets"))
    t.edit(FDEPLOY, namespace, "web", lambda o: o["spec"].update(placement={"clusters": [{"name": "member2"}]}))
    t.gone(t.member1, k.DEPLOYMENTS, namespace, "web")
    # By the garbage collector, see above.
    eventually(lambda: expect(t.member1.list("apps/v1/replicasets", namespace), [], "ReplicaSets left"), timeout=240)


@test()
def q25_a_slow_member_is_timed_out_alone(t):
    """Each kind of operation; who has finished is shown, and its version recorded, while the other one hangs."""
    plane, gadgets, proxies = t.private(proxied=("member2",), config=LASTING)
    for name in ("changed", "moved"):
        gadgets.create(name)
        gadgets.propagated(name)
    proxies["member2"].hang()
    gadgets.create("created")
    change(gadgets, "changed")
    place(gadgets, "member1", name="moved")
    for name, status in (("created", "CreationTimedOut"), ("changed", "UpdateTimedOut"), ("moved", "DeletionTimedOut")):
        expected = {"member1": "", "member2": status}
        eventually(lambda n=name, e=expected: expect(gadgets.clusters(n), e, f"clusters of {n}"))
        # It was not the request that failed, 25 s later, but the run that went on without it.
        eventually(lambda n=name: plane.events(n, reason="OperationTimeoutError")[0])
    eventually(lambda: expect("member1" in recorded(t, gadgets, "created"), True, "member1 in the recorded versions"))
    expect(gadgets.in_member("member1", "changed")["data"], {"lang": "pl"}, "data in member1")
    proxies["member2"].pass_on()
    gadgets.propagated("created", timeout=RETRIED)
    gadgets.propagated("changed", timeout=RETRIED)
    gadgets.propagated("moved", ["member1"], timeout=RETRIED)


@test()
def section63_a_slow_operation_keeps_its_word(t):
    """The word says which operation is under way, also when the object changes meanwhile."""
    plane, gadgets, proxies = t.private(proxied=("member2",), config=LASTING)
    tried = []

    def says(name, word):
        obj = gadgets.get(name)
        expect(obj["status"]["observedGeneration"], obj["metadata"]["generation"], f"observedGeneration of {name}")
        expect({c["name"]: c.get("status", "") for c in obj["status"]["clusters"]}, {"member1": "", "member2": word},
               f"clusters of {name}")

    def keeps(name, word):
        eventually(lambda: expect(gadgets.clusters(name).get("member2"), word, f"member2 of {name}"))
        change(gadgets, name)
        eventually(lambda: expect(gadgets.in_member("member1", name)["data"], {"lang": "pl"}, f"{name} in member1"))
        eventually(lambda: says(name, word))   # member1 may be late as well, for a moment

    def hanging(number):
        created, moved = names = f"created-{number}", f"moved-{number}"
        tried.append(names)
        proxies["member2"].pass_on()
        gadgets.create(moved)
        gadgets.propagated(moved)
        proxies["member2"].hang()
        began = time.monotonic()
        gadgets.create(created)
        place(gadgets, "member1", name=moved)
        keeps(created, "CreationTimedOut")
        keeps(moved, "DeletionTimedOut")
        return began
    t.quickly(hanging, seconds=20, below=MEMBER_TIMEOUT - 1)    # after that they are made again, with the same words
    proxies["member2"].pass_on()
    for created, moved in tried:
        gadgets.propagated(created, timeout=RETRIED)
        gadgets.propagated(moved, ["member1"], timeout=RETRIED)


@test(alone=True)
def section63_a_slow_label_removal_has_its_word(t):
    """The host as a second member, through a connection that hangs."""
    plane = plane_of(t, {"clusterHealthCheck": {"period": "1s", "timeout": "1s", "failureThreshold": 1000}})
    proxy = faults.Proxy("127.0.0.1", int(t.host.server.strip("/").rsplit(":", 1)[1]))
    t.cleanup(proxy.close)
    with plane.running():
        plane.add_member("host", "slowhost", proxy.port)
        t.cleanup(lambda: t.host.delete(k.KFC, plane.namespace, "slowhost"))
        plane.wait_ready("host", "slowhost")
        namespace = t.namespace(["host", "slowhost"])
        t.propagated(FNS, namespace, namespace, ["host", "slowhost"])
        proxy.hang()
        t.edit(FNS, namespace, namespace, lambda o: o["spec"].update(placement={}))
        expected = [{"name": "slowhost", "status": "LabelRemovalTimedOut"}]
        eventually(lambda: expect(t.host.get(FNS, namespace, namespace)["status"].get("clusters"), expected,
                                  "clusters"))
        proxy.pass_on()
        t.propagated(FNS, namespace, namespace, [], timeout=60)


@test()
def section51_a_lost_cluster_shows_after_the_unavailable_delay(t):
    """Nothing has to be changed for that; the others are not written."""
    plane, gadgets, proxies = t.private(proxied=("member2",), config={
        "clusterHealthCheck": ONE_FAILURE, "controllerDuration": {"unavailableDelay": "6s"}})
    gadgets.create("thing")
    gadgets.propagated("thing")
    proxies["member2"].refuse()
    offline = eventually(lambda: lost(plane, "member2"))
    expected = {"member1": "", "member2": "ClusterNotReady"}
    eventually(lambda: expect(gadgets.clusters("thing"), expected, "clusters"))
    # The controller's own times: the test may look at any moment. They are whole seconds.
    shown = k.condition(gadgets.get("thing"), "Propagation")["lastTransitionTime"]
    delay = (datetime.datetime.fromisoformat(shown[:-1]) - datetime.datetime.fromisoformat(offline[:-1])).total_seconds()
    assert delay >= 5, f"shown {delay} s after the cluster was lost"
    proxies["member2"].pass_on()
    gadgets.propagated("thing")


def lost(plane, cluster):
    """Since when the cluster is offline."""
    condition = k.condition(plane.cluster(cluster), "Offline")
    expect(condition.get("status"), "True", f"{cluster} is offline")
    return condition["lastTransitionTime"]


@test()
def q47_a_late_answer_is_not_lost(t):
    """After the run went on without it: the answer is taken, and the request is not made again."""
    plane, gadgets, proxies = t.private(proxied=("member2",), config=LASTING)
    gadgets.create("before")
    gadgets.propagated("before")
    before = {}

    def late(number):
        name = f"thing-{number}"
        before.update(counts=settle_writes(t.member2, gadgets.plural))      # an API server counts after it has answered
        proxies["member2"].hang()
        gadgets.create(name)
        eventually(lambda: expect(gadgets.clusters(name), {"member1": "", "member2": "CreationTimedOut"}, "clusters"))
        began = time.monotonic()
        proxies["member2"].pass_on()
        gadgets.propagated(name)
        return began
    t.quickly(late, below=BEFORE_RETRY)     # without the answer it would be found later, by a retry or after the timeout
    writes = writes_between(before["counts"], settle_writes(t.member2, gadgets.plural))
    expect(writes, {f"POST {gadgets.plural}": 1}, "writes to member2")


@test()
def q29_failures_are_retried_whatever_the_reason(t):
    t.main()
    namespace = t.namespace(federate=False)
    t.configmap(namespace, clusters=["member1"])
    t.member1.create(k.NAMESPACES, None, {"metadata": {"name": namespace}})
    # An object that is refused its deletion: its namespace is not federated, so that it belongs nowhere.
    t.member1.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "attempt"}})
    refusal = refuse_deletion(t, t.member1, k.CONFIGMAPS, namespace, "attempt")
    t.member1.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "greet", "labels": {MANAGED: "true"}}, "data": {}})

    def failed():
        obj = t.host.get(FCM, namespace, "greet")
        expect(k.condition(obj, "Propagation").get("reason"), "NamespaceNotFederated", "reason")
        expect(obj["status"].get("clusters"), [{"name": "member1", "status": "DeletionFailed"}], "clusters")
    eventually(failed)
    refusal.end()
    t.gone(t.member1, k.CONFIGMAPS, namespace, "greet", timeout=RETRIED)


@test()
def q34_an_observed_generation_was_carried_out(t):
    """Whenever a generation is reported as propagated, the member has at least that one."""
    _, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"], data={"generation": "1"})
    last = 40
    for number in range(2, last + 1):
        obj = change_generation(t, gadgets, number)
        expect(obj["metadata"]["generation"], number, "generation")
        status = gadgets.get("thing").get("status") or {}
        member = gadgets.in_member("member1", "thing")
        if k.condition({"status": status}, "Propagation").get("status") == "True":
            seen = status["observedGeneration"]
            assert int(member["data"]["generation"]) >= seen, f"{member['data']} is reported as generation {seen}"
    gadgets.propagated("thing", ["member1"])
    expect(gadgets.in_member("member1", "thing")["data"], {"generation": str(last)}, "data")
    expect(gadgets.get("thing")["status"]["observedGeneration"], last, "observedGeneration")


def change_generation(t, gadgets, number):
    return t.edit(gadgets.fed, gadgets.plane.namespace, "thing", lambda o: o["spec"]["template"].update(
        data={"generation": str(number)}))


def add_twin(t, plane, kind, letter):
    """A target kind of that name in a group of its own, with a federated kind of its own; its (target, federated)."""
    plural, group, fed_kind = f"{kind.lower()}s", f"{letter}.e2e.example.com", f"Federated{letter.upper()}{kind}"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    t.member1.create(k.CRDS, None, crd(group, "v1", plural, kind, schema))
    t.host.create(k.CRDS, None, crd("types.kubefed.io", "v1beta1", fed_kind.lower() + "s", fed_kind, schema))
    target, fed = f"{group}/v1/{plural}", f"types.kubefed.io/v1beta1/{fed_kind.lower()}s"
    eventually(lambda: (t.member1.list(target), t.host.list(fed, plane.namespace)))
    t.host.create(k.FTC, plane.namespace, {"metadata": {"name": f"{plural}.{group}"}, "spec": {
        "propagation": "Enabled",
        "targetType": {"group": group, "version": "v1", "kind": kind, "pluralName": plural, "scope": "Namespaced"},
        "federatedType": {"group": "types.kubefed.io", "version": "v1beta1", "kind": fed_kind,
                          "pluralName": fed_kind.lower() + "s", "scope": "Namespaced"}}})
    plane.wait_running(f"{plural}.{group}")
    return target, fed, fed_kind


@test()
def q44_equal_kinds_of_two_groups_do_not_disturb_each_other(t):
    """Their records have the same name: it belongs to one of them, and tells the truth about that one."""
    plane, _, _ = t.private(members=("member1",))
    kind = f"Twin{t.env.number('twin')}"
    twins = [add_twin(t, plane, kind, letter) for letter in "ab"]
    for _, fed, fed_kind in twins:
        t.host.create(fed, plane.namespace, {"kind": fed_kind, "metadata": {"name": "same"}, "spec": {
            "template": {"data": {"of": fed_kind}}, "placement": {"clusters": [{"name": "member1"}]}}})
        t.propagated(fed, plane.namespace, "same", ["member1"])
    name = f"{kind.lower()}-same"
    owner = eventually(lambda: t.host.get(k.PV, plane.namespace, name)["metadata"]["ownerReferences"][0]["kind"])
    # The one without the record changes, then both are at rest.
    other = next(twin for twin in twins if twin[2] != owner)
    t.edit(other[1], plane.namespace, "same", lambda o: o["spec"]["template"].update(data={"more": "x"}))
    t.propagated(other[1], plane.namespace, "same", ["member1"])
    settle_writes(t.member1, kind.lower() + "s")
    spec = t.host.get(next(fed for _, fed, fed_kind in twins if fed_kind == owner), plane.namespace, "same")["spec"]

    def record_is_the_owners():
        record = t.host.get(k.PV, plane.namespace, name)
        expect([r["kind"] for r in record["metadata"]["ownerReferences"]], [owner], "owners")
        expect(record["status"]["templateVersion"], hashes.template_version(spec), "hash of the owner's template")
    eventually(record_is_the_owners)     # written in the background
    stays(record_is_the_owners, 1)


def settle_writes(api, *words, seconds=2, timeout=90):
    """Waits until nothing was written to these resources for that long; returns the counts."""
    last, since, deadline = writes_of(api, *words), time.monotonic(), time.monotonic() + timeout
    while time.monotonic() - since < seconds:
        assert time.monotonic() < deadline, f"writes do not end: {last}"
        time.sleep(0.2)
        now = writes_of(api, *words)
        if now != last:
            last, since = now, time.monotonic()
    return last


@test()
def q50_a_namespace_is_one_object(t):
    """Its host namespace and its FederatedNamespace change at the same time, many times."""
    plane = t.main()
    namespace = t.namespace()
    t.propagated(FNS, namespace, namespace)

    def touch_host():
        for number in range(30):
            t.host.patch(k.NAMESPACES, None, namespace, {"metadata": {"labels": {"round": str(number)}}})
    worker = threading.Thread(target=touch_host)
    worker.start()
    for number in range(30):
        t.edit(FNS, namespace, namespace, lambda o, n=number: o["spec"].update(
            template={"metadata": {"labels": {"round": str(n)}}}))
    worker.join()
    t.propagated(FNS, namespace, namespace)
    for name, member in t.members.items():
        expect(member.get(k.NAMESPACES, None, namespace)["metadata"]["labels"]["round"], "29", f"label in {name}")
    # Two runs at once would get in each other's way: a conflict, or an object that exists already. A late member is none.
    warnings = [e for e in plane.events(namespace, namespace) if e["type"] == "Warning"]
    expect([e for e in warnings if e["reason"] != "OperationTimeoutError"], [], "warnings")


@test()
def q62_a_misplaced_federated_namespace_gets_an_event_only(t):
    plane = t.main()
    namespace = t.namespace(federate=False)
    t.host.create(FNS, namespace, {"metadata": {"name": "other"}, "spec": {"placement": {"clusterSelector": {}}}})
    event = eventually(lambda: plane.events("other", namespace, "InvalidName")[0])
    expect(event["type"], "Warning", "type")

    def untouched():
        obj = t.host.get(FNS, namespace, "other")
        expect((obj["metadata"].get("finalizers"), obj.get("status")), (None, None), "finalizers and status")
    stays(untouched, 2)


@test()
def q63_records_that_cannot_be_written_delay_nothing(t):
    plane, gadgets, _ = t.private()
    refusal = refuse_creation(t, t.host, k.PV, plane.namespace)
    for number in range(20):
        gadgets.create(f"thing-{number}")
    for number in range(20):
        gadgets.propagated(f"thing-{number}")

    def another(number):
        gadgets.create(f"more-{number}")
        gadgets.propagated(f"more-{number}")
    t.quickly(another, below=BEFORE_RETRY)
    expect(t.host.list(k.PV, plane.namespace), [], "records")
    refusal.end()
    eventually(lambda: expect(sorted(recorded(t, gadgets, "thing-0")), ["member1", "member2"], "versions"))


@test()
def section65_a_refused_status_is_written_later(t):
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("before", ["member1"])
    gadgets.propagated("before", ["member1"])
    refusal = refuse_status(t, t.host, gadgets.fed, plane.namespace, "before")
    gadgets.create("thing", ["member1"])
    eventually(lambda: expect(gadgets.in_member("member1", "thing")["data"], {"lang": "en"}, "data in member1"))
    expect(gadgets.get("thing").get("status"), None, "status")
    refusal.end()
    gadgets.propagated("thing", ["member1"], timeout=RETRIED)


# ---- section 14: costs

@test()
def p04_types_share_the_connection_of_a_member(t):
    plane, gadgets, proxies = t.private(members=("member1",), proxied=("member1",), start=False,
                                        config={"clusterHealthCheck": {"timeout": "20s"}})
    others = [Gadgets(t, plane, ("member1",)) for _ in range(3)]
    for other in others:
        plane.add_type(other.target)
    plane.start()
    plane.wait_ready("member1")
    for some in [gadgets, *others]:
        plane.wait_running(some.ftc)
        some.create("thing", ["member1"])
        some.propagated("thing", ["member1"])
    assert proxies["member1"].connections <= 2, f"{proxies['member1'].connections} connections for four types"


@test()
def p06_raw_collection_of_a_kind_without_status_settles(t):
    plane, gadgets, _ = t.private(start=False, config={"featureGates": [
        {"name": "PushReconciler", "configuration": "Enabled"},
        {"name": "RawResourceStatusCollection", "configuration": "Enabled"},
        {"name": "SchedulerPreferences", "configuration": "Disabled"}]})
    t.host.patch(k.FTC, plane.namespace, gadgets.ftc, {"spec": {"statusCollection": "Enabled"}})
    plane.start()
    plane.wait_ready("member1", "member2")
    gadgets.create("thing")
    gadgets.propagated("thing")
    before = settle_writes(t.host, gadgets.plural)
    stays(lambda: expect(writes_between(before, writes_of(t.host, gadgets.plural)), {}, "writes without a change"), 3)
    # Where there is a status it is shown, and then there is silence again.
    for member in (t.member1, t.member2):
        member.patch(gadgets.target, plane.namespace, "thing", {"status": {"n": 1, "m": {}}}, "status")
    expected = [{"name": m, "remoteStatus": {"n": 1, "m": {}}} for m in ("member1", "member2")]
    eventually(lambda: expect(gadgets.get("thing")["status"]["clusters"], expected, "clusters"))
    before = settle_writes(t.host, gadgets.plural)
    stays(lambda: expect(writes_between(before, writes_of(t.host, gadgets.plural)), {}, "writes without a change"), 3)


@test()
def p08_a_change_of_status_or_metadata_causes_no_request(t):
    t.main()        # it brings FederatedNamespaces: a kind that is missing is asked for from time to time
    plane, gadgets, _ = t.private(start=False, config=QUIET)
    read = start_with_metrics(t, plane)
    plane.wait_ready("member1", "member2")
    gadgets.create("thing")
    gadgets.propagated("thing")
    before = wait_silence(read)
    expect(sorted(before), ["", "member1", "member2"], "clusters in the metrics")
    t.host.patch(gadgets.fed, plane.namespace, "thing", {"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}}})
    t.host.patch(gadgets.fed, plane.namespace, "thing", {"status": {"note": "x"}}, "status")
    t.member1.patch(gadgets.target, plane.namespace, "thing", {"status": {"n": 1}}, "status")
    t.host.patch(k.KFC, plane.namespace, "member1", {"metadata": {"annotations": {"a": "b"}}})
    stays(lambda: expect(requests_sent(read()), before, "requests"), 3)
    # It is not asleep.
    change(gadgets)
    gadgets.propagated("thing")


@test()
def p11_labels_of_a_cluster_do_not_reconnect(t):
    t.main()        # as above
    plane, gadgets, proxies = t.private(proxied=("member2",), start=False, config=QUIET)
    read = start_with_metrics(t, plane)
    plane.wait_ready("member1", "member2")
    gadgets.create("thing")
    gadgets.propagated("thing")
    before, connections = wait_silence(read), proxies["member2"].connections
    t.host.patch(k.KFC, plane.namespace, "member2",
                 {"metadata": {"labels": {"tier": "edge"}, "annotations": {"a": "b"}}})
    # Placement follows the label at once.
    gadgets.create("by-label", clusters=None, selector={"matchLabels": {"tier": "edge"}})
    gadgets.propagated("by-label", ["member2"])
    after = wait_silence(read)
    expect(proxies["member2"].connections, connections, "connections to member2")
    expect(after["member2"] - before["member2"], 1, "requests to member2: the creation alone")
    expect(after["member1"], before["member1"], "requests to member1")


@test()
def p12_a_flapping_cluster_disturbs_nobody(t):
    plane, gadgets, proxies = t.private(proxied=("member2",), config={
        "clusterHealthCheck": ONE_FAILURE, "controllerDuration": {"unavailableDelay": "10m"}})
    names = [f"thing-{n}" for n in range(10)]
    for name in names:
        gadgets.create(name)
    for name in names:
        gadgets.propagated(name)
    before = [settle_writes(api, gadgets.plural) for api in (t.host, t.member1, t.member2)]
    proxies["member2"].refuse()
    eventually(lambda: expect(k.condition(plane.cluster("member2"), "Offline").get("status"), "True", "Offline"))
    proxies["member2"].pass_on()
    plane.wait_ready("member2")

    def untouched():
        for name, was, api in zip(("host", "member1", "member2"), before, (t.host, t.member1, t.member2)):
            expect(writes_between(was, writes_of(api, gadgets.plural)), {}, f"writes to {name}")
    stays(untouched, 4)
    # A change goes everywhere at once.
    change(gadgets, "thing-0")
    gadgets.propagated("thing-0", timeout=30)


@test()
def p13_a_new_object_costs_few_writes(t):
    plane, gadgets, _ = t.private()
    gadgets.create("warm-up")
    gadgets.propagated("warm-up")
    for number in range(5):
        before = [settle_writes(api, gadgets.plural) for api in (t.host, t.member1, t.member2)]
        gadgets.create(f"thing-{number}")
        gadgets.propagated(f"thing-{number}")
        after = [settle_writes(api, gadgets.plural) for api in (t.host, t.member1, t.member2)]
        # A member that takes more than 2 s is told, and costs one more status: another object then.
        if not plane.events(f"thing-{number}", reason="OperationTimeoutError"):
            break
    fed = f"federated{gadgets.plural}"
    expect(writes_between(before[0], after[0]), {f"POST {fed}": 1, f"PATCH {fed}": 1, f"PATCH {fed}/status": 1},
           "writes to the host: that of the test, the finalizer, the status")
    for was, now in zip(before[1:], after[1:]):
        expect(writes_between(was, now), {f"POST {gadgets.plural}": 1}, "writes to a member")
