"""KubeFedCluster health: conditions, thresholds, events (controllers.md 4)."""
import base64
import time

import faults
from harness import eventually, expect, k, other_authority, show, stays, test

PERIOD = {"clusterHealthCheck": {"period": "500ms", "timeout": "1s"}}
# Nobody hangs, and an answer that a busy machine makes late is no failure.
PATIENT = {"clusterHealthCheck": {"period": "500ms", "timeout": "15s"}}


def conditions(plane, name):
    """[(type, status, reason, message)] in the order written."""
    return [(c["type"], c["status"], c.get("reason", ""), c.get("message", ""))
            for c in plane.cluster(name).get("status", {}).get("conditions") or []]


READY = [("Ready", "True", "ClusterReady", "/healthz responded with ok")]


def wait_conditions(plane, name, expected, timeout=90):
    eventually(lambda: expect(conditions(plane, name), expected, f"conditions of {name}"), timeout)


def wait_version(plane, name, version):
    """It is asked for after the health, and again later when that fails."""
    eventually(lambda: expect(plane.cluster(name)["status"].get("kubernetesVersion"), version, "kubernetesVersion"))


def wait_offline(plane, name, word=""):
    """Also until its message has the word."""
    def offline():
        found = conditions(plane, name)
        expect([c[:3] for c in found], [("Offline", "True", "ClusterNotReachable")], f"conditions of {name}")
        assert found[0][3].startswith("cluster is not reachable: ") and word in found[0][3], found
    eventually(offline)


def pretended(t, plane, name="fake"):
    member = faults.PretendedMember()
    t.cleanup(member.close)
    plane.add_cluster(name, member.endpoint, "a-token", None)
    return member


@test(smoke=True)
def a_real_member_is_ready_with_its_version(t):
    plane = t.plane("health", "Cluster", start=True)
    plane.add_member("member1")
    plane.wait_ready("member1")
    wait_conditions(plane, "member1", READY)
    wait_version(plane, "member1", t.member1.call("GET", "/version")["gitVersion"])
    status = plane.cluster("member1")["status"]
    for key in ("lastProbeTime", "lastTransitionTime"):
        assert status["conditions"][0][key].endswith("Z"), status
    for key in ("zones", "region"):
        assert key not in status, status


@test()
def probes_go_on_and_the_transition_time_stays(t):
    plane = t.plane("health", "Cluster", PATIENT, start=True)
    pretended(t, plane)
    wait_conditions(plane, "fake", READY)
    first = plane.cluster("fake")["status"]["conditions"][0]

    def probed_again():
        now = plane.cluster("fake")["status"]["conditions"][0]
        assert now["lastProbeTime"] > first["lastProbeTime"], f"lastProbeTime stays {first['lastProbeTime']}"
        expect(now["lastTransitionTime"], first["lastTransitionTime"], "lastTransitionTime")
    eventually(probed_again)


@test()
def the_answer_must_be_ok(t):
    plane = t.plane("health", "Cluster", PATIENT, start=True)
    member = pretended(t, plane)
    wait_conditions(plane, "fake", READY)
    wait_version(plane, "fake", "v1.99.0")
    member.body = b"not today"
    wait_conditions(plane, "fake", [("Ready", "False", "ClusterNotReady", "/healthz responded without ok"),
                                    ("Offline", "False", "ClusterReachable", "cluster is reachable")])
    member.body = b"OK"
    wait_conditions(plane, "fake", READY)


@test(smoke=True)
def a_member_goes_offline_and_comes_back(t):
    plane = t.plane("health", "Cluster", PATIENT, start=True)
    address = t.member1.server.split("//")[1].strip("/").rsplit(":", 1)
    proxy = faults.Proxy(address[0], int(address[1]))
    t.cleanup(proxy.close)
    plane.add_member("member1", port=proxy.port)
    wait_conditions(plane, "member1", READY)
    proxy.refuse()
    wait_offline(plane, "member1")
    event = eventually(lambda: plane.events("member1", reason="RetrievingClusterHealthFailed")[0])
    expect(event["type"], "Warning", "type of the event")
    proxy.pass_on()
    wait_conditions(plane, "member1", READY)


@test()
def a_hanging_member_goes_offline_and_comes_back(t):
    plane = t.plane("health", "Cluster", PERIOD, start=True)
    address = t.member1.server.split("//")[1].strip("/").rsplit(":", 1)
    proxy = faults.Proxy(address[0], int(address[1]))
    t.cleanup(proxy.close)
    plane.add_member("member1", port=proxy.port)
    plane.add_member("member2")
    plane.wait_ready("member1", "member2")
    proxy.hang()
    wait_offline(plane, "member1")
    wait_conditions(plane, "member2", READY)
    before = plane.cluster("member2")["status"]["conditions"][0]["lastProbeTime"]

    def other_goes_on():
        assert plane.cluster("member2")["status"]["conditions"][0]["lastProbeTime"] > before, "member2 is not probed"
    eventually(other_goes_on)
    proxy.pass_on()
    wait_conditions(plane, "member1", READY)


@test()
def one_failed_probe_changes_nothing(t):
    """failureThreshold 3 means three in a row."""
    plane = t.plane("health", "Cluster", PATIENT, start=True)
    member = pretended(t, plane)
    wait_conditions(plane, "fake", READY)
    wait_version(plane, "fake", "v1.99.0")
    # Long in the ready state: this must not use up the patience.
    seen = len(member.requests)
    eventually(lambda: expect(len([r for r in member.requests[seen:] if r == "/healthz"]) >= 5, True, "five more probes"))
    for _ in range(3):
        member.failures = 1
        eventually(lambda: expect(member.failures, 0, "probes that are still to fail"))
        seen = len(member.requests)
        stays(lambda: expect(conditions(plane, "fake"), READY, "conditions"), 0.3)
        expect(plane.cluster("fake")["status"].get("kubernetesVersion"), "v1.99.0", "kubernetesVersion")
        eventually(lambda: expect("/healthz" in member.requests[seen:], True, "a good probe"))


@test()
def http_errors_count_as_not_reachable(t):
    plane = t.plane("health", "Cluster", PATIENT, start=True)
    member = pretended(t, plane)
    wait_conditions(plane, "fake", READY)
    for status in (500, 403):
        member.status = status
        wait_offline(plane, "fake")
        member.status = 200
        wait_conditions(plane, "fake", READY)


MALFORMED = [("ConfigMalformed", "True", "ClusterConfigMalformed", "cluster's configuration may be malformed")]


@test(smoke=True)
def a_secret_without_token_is_malformed_until_it_has_one(t):
    plane = t.plane("health", "Cluster", PERIOD, start=True)
    server, ca = t.env.entry("member1")
    plane.add_cluster("member1", server, None, ca)
    wait_conditions(plane, "member1", MALFORMED)
    event = eventually(lambda: plane.events("member1", reason="MalformedClusterConfig")[0])
    expect(event["type"], "Warning", "type of the event")
    expect(event["source"]["component"], "kubefedcluster-controller", "component of the event")
    assert event["message"].startswith("The configuration for this cluster may be malformed: "), event["message"]
    assert 'The secret for cluster member1 is missing a non-empty value for "token"' in event["message"], event["message"]
    token = t.env.admin_token("member1")
    t.host.patch(k.SECRETS, plane.namespace, "member1-secret",
                 {"data": {"token": base64.b64encode(token.encode()).decode()}})
    wait_conditions(plane, "member1", READY)


@test()
def a_missing_secret_is_malformed_until_it_is_there(t):
    plane = t.plane("health", "Cluster", PERIOD, start=True)
    server, ca = t.env.entry("member1")
    t.host.create(k.KFC, plane.namespace, {"metadata": {"name": "member1"}, "spec": {
        "apiEndpoint": server, "caBundle": ca, "secretRef": {"name": "later"}}})
    wait_conditions(plane, "member1", MALFORMED)
    token = t.env.admin_token("member1")
    t.host.create(k.SECRETS, plane.namespace, {"metadata": {"name": "later"},
                                               "data": {"token": base64.b64encode(token.encode()).decode()}})
    wait_conditions(plane, "member1", READY)


@test()
def nonsense_in_the_spec_is_malformed_and_hurts_no_other(t):
    plane = t.plane("health", "Cluster", PERIOD, start=True)
    server, ca = t.env.entry("member1")
    token = t.env.admin_token("member1")
    broken = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nnot base64 at all\n-----END CERTIFICATE-----\n").decode()
    plane.add_cluster("bad-ca", server, token, broken)
    plane.add_cluster("bad-endpoint", "https://:::", token, ca)
    plane.add_cluster("empty-endpoint", "", token, ca)
    plane.add_cluster("bad-scheme", "ftp://127.0.0.1", token, ca)
    plane.add_cluster("binary-token", server, "\n\r\x01 \u00ff", ca)
    plane.add_member("member1")
    wait_conditions(plane, "member1", READY)
    for name in ("bad-ca", "bad-endpoint", "empty-endpoint", "bad-scheme"):
        wait_conditions(plane, name, MALFORMED)

    def not_ready():
        found = conditions(plane, "binary-token")
        assert found and found[0][0] in ("ConfigMalformed", "Offline"), found
    eventually(not_ready)


@test(smoke=True)
def a_wrong_ca_is_offline_and_named(t):
    plane = t.plane("health", "Cluster", PATIENT, start=True)
    server, _ = t.env.entry("member1")
    plane.add_cluster("member1", server, t.env.admin_token("member1"), other_authority(t.env.folder))
    wait_offline(plane, "member1", "certificate")
    event = eventually(lambda: plane.events("member1", reason="RetrievingClusterHealthFailed")[0])
    assert event["message"].startswith("Failed to retrieve health of the cluster: "), event["message"]
    # Mending the CA is noticed at once.
    t.host.patch(k.KFC, plane.namespace, "member1", {"spec": {"caBundle": t.env.entry("member1")[1]}})
    wait_conditions(plane, "member1", READY)


@test()
def disabled_tls_validation_is_honoured(t):
    plane = t.plane("health", "Cluster", PERIOD, start=True)
    server, _ = t.env.entry("member1")
    plane.add_cluster("member1", server, t.env.admin_token("member1"), other_authority(t.env.folder),
                      disabledTLSValidations=["*"])
    wait_conditions(plane, "member1", READY)


@test()
def an_endpoint_change_is_followed_at_once(t):
    # A period that is longer than anybody waits must not matter.
    plane = t.plane("health", "Cluster", {"clusterHealthCheck": {"period": "10m", "timeout": "30s"}}, start=True)
    first, second = pretended(t, plane), faults.PretendedMember()
    t.cleanup(second.close)
    second.version = "v1.100.0"
    wait_conditions(plane, "fake", READY)
    wait_version(plane, "fake", first.version)
    t.host.patch(k.KFC, plane.namespace, "fake", {"spec": {"apiEndpoint": second.endpoint}})
    wait_version(plane, "fake", second.version)


@test()
def a_deleted_cluster_is_no_longer_probed(t):
    plane = t.plane("health", "Cluster", PERIOD, start=True)
    member = pretended(t, plane)
    wait_conditions(plane, "fake", READY)
    t.host.delete(k.KFC, plane.namespace, "fake")

    def silent():
        seen = len(member.requests)
        time.sleep(1.5)
        expect(member.requests[seen:], [], "requests after the deletion")
    eventually(silent)


@test()
def an_endless_answer_does_not_grow_the_process(t):
    plane = t.plane("health", "Cluster", PERIOD, start=True)
    flood = faults.Flood()
    t.cleanup(flood.close)
    plane.add_cluster("flood", flood.endpoint, "a-token", None)
    good = pretended(t, plane)
    wait_conditions(plane, "fake", READY)

    def judged():
        found = conditions(plane, "flood")
        assert found and found[0] != READY[0], f"conditions of flood: {show(found)}"
    eventually(judged)
    assert good.requests, "the other one is probed"
    assert plane.controller.memory() < 400 * 1024, f"{plane.controller.memory()} KiB resident"


@test()
def many_clusters_are_probed_side_by_side(t):
    """Thirty members of which ten hang must not take ten times the deadline, which nobody waits for here."""
    plane = t.plane("health", "Cluster", {"clusterHealthCheck": {"period": "1s", "timeout": "20s"}}, start=True)
    proxy = faults.Proxy("127.0.0.1", faults.free_port())
    t.cleanup(proxy.close)
    proxy.hang()
    member = faults.PretendedMember()
    t.cleanup(member.close)
    for number in range(30):
        endpoint = f"http://127.0.0.1:{proxy.port}" if number % 3 == 0 else member.endpoint
        plane.add_cluster(f"c{number}", endpoint, "a-token", None)

    def judged():
        for number in range(30):
            found = conditions(plane, f"c{number}")
            expect([c[0] for c in found], ["Offline" if number % 3 == 0 else "Ready"], f"conditions of c{number}")
    eventually(judged)
