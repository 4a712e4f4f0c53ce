"""High availability: standbys with warm caches, fail-over under load, kinds of locks, and settings that change while it runs."""
import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import faults
from harness import Controller, eventually, expect, k, slowness, stays, test, write_counts, writes_between

LOCK = "kubefed-controller-manager"
LEASES = "coordination.k8s.io/v1/leases"
ENDPOINTS = "v1/endpoints"
LEADER = "control-plane.alpha.kubernetes.io/leader"
SHORT = {"leaderElect": {"leaseDuration": "15s", "renewDeadline": "12s", "retryPeriod": "1s"}}
GO = "kubefed-controller-manager-5b7c9d-x2k4v_0c2a5c0e-5f0b-4a53-9d2e-6d1c1f0a7b11"


def record(t, plane, resource=k.CONFIGMAPS):
    obj = t.host.get(resource, plane.namespace, LOCK)
    return json.loads(obj["metadata"]["annotations"][LEADER])


class Other(contextlib.AbstractContextManager):
    """A leader of another build, such as KubeFed itself: holds the lock and renews it until the end of the with block."""

    def __init__(self, t, plane):
        self.t, self.plane, self._end = t, plane, threading.Event()
        self._write(create=True)
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def _write(self, create=False, holder=GO):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        # Longer than an API server of a busy machine takes for an answer.
        text = json.dumps({"holderIdentity": holder, "leaseDurationSeconds": 30, "acquireTime": now, "renewTime": now,
                           "leaderTransitions": 3})
        if create:
            self.t.host.create(k.CONFIGMAPS, self.plane.namespace, {"metadata": {"name": LOCK, "annotations": {LEADER: text}}})
        else:
            self.t.host.patch(k.CONFIGMAPS, self.plane.namespace, LOCK, {"metadata": {"annotations": {LEADER: text}}})

    def _renew(self):
        while not self._end.wait(1):
            with contextlib.suppress(k.ApiError, k.Unreachable):    # like any leader, it tries again
                self._write()

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def start(t, plane, *arguments, wait=False):
    """A controller manager with a port for metrics that the test knows."""
    port = faults.free_port()
    controller = Controller(plane, ["--metrics-addr", f"127.0.0.1:{port}", *arguments])
    controller.metrics_port = port
    controller.start(wait=wait)
    t.cleanup(lambda: controller.stop() if controller.alive() else None)
    return controller


def metrics(controller):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{controller.metrics_port}/metrics", timeout=60) as answer:
            return answer.read().decode()
    except OSError as e:
        raise AssertionError(f"no metrics: {e}") from e


def metric(controller, series):
    found = re.search(rf"^{re.escape(series)} (\S+)$", metrics(controller), re.M)
    return float(found.group(1)) if found else None


@test(smoke=True)
def a_standby_keeps_caches_and_writes_nothing(t):
    """Beside a leader of another build: it connects and watches; then the other one ends, and it goes on at once where that one was."""
    plane, gadgets, _ = t.private(config=SHORT, start=False)
    with Other(t, plane):
        for name in ("member1", "member2"):      # as the other leader would
            t.host.patch(k.KFC, plane.namespace, name, {"status": {"conditions": [{
                "type": "Ready", "status": "True", "reason": "ClusterReady", "message": "/healthz responded with ok",
                "lastProbeTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}, "status")
        controller = start(t, plane)
        made = gadgets.create("thing")

        def warm():
            expect(metric(controller, "kubefed_leader"), 0, "kubefed_leader")
            expect(metric(controller, f'kubefed_objects{{kind="Federated{gadgets.kind}",state="all"}}'), 1, "objects in the cache")
            for name in ("member1", "member2"):
                assert metric(controller, f'kubefed_api_requests_sent_total{{cluster="{name}"}}') > 0, f"{name} is not watched"
        eventually(warm)
        plural = gadgets.target.split("/")[-1]
        before = [write_counts(api) for api in (t.host, t.member1, t.member2)]

        def nothing():
            after = [write_counts(api) for api in (t.host, t.member1, t.member2)]
            writes = {w: n for b, a in zip(before, after) for w, n in writes_between(b, a).items()
                      if plural in w and not w.startswith("DELETE")}  # Kubernetes empties namespaces of other tests
            expect(writes, {}, "writes of a standby")
        stays(nothing, 3)
        thing = gadgets.get("thing")["metadata"]
        expect([thing["uid"], thing["resourceVersion"]], [made["metadata"][f] for f in ("uid", "resourceVersion")],
               "the object of the host")
        expect(thing.get("finalizers"), None, "finalizers")
        expect(record(t, plane)["holderIdentity"], GO, "holder of the lock")
        assert "promoted as leader" not in controller.log()
    gadgets.propagated("thing")
    expect(record(t, plane)["leaderTransitions"], 4, "leader transitions")
    expect(metric(controller, "kubefed_leader"), 1, "kubefed_leader")


@test()
def a_killed_leader_is_followed_and_nothing_is_lost_or_done_twice(t):
    """kill -9 in the middle of creations: the standby finishes them, and touches nothing that was finished."""
    plane, gadgets, _ = t.private(config=SHORT)
    first = plane.controller
    second = start(t, plane)
    eventually(lambda: expect(metric(second, f'kubefed_objects{{kind="Federated{gadgets.kind}",state="all"}}'), 0, "the standby's cache"))
    count, done = 60, {}
    for number in range(count):
        gadgets.create(f"thing-{number}")
        if number == count // 2:
            gadgets.propagated("thing-0")
            for member in ("member1", "member2"):
                done[member] = {o["metadata"]["name"]: o["metadata"]["resourceVersion"]
                                for o in t.env.apis[member].list(gadgets.target, plane.namespace)}
            first.kill()
            killed = time.monotonic()
    plane.controller = second

    def written():      # of what was created when the first one was dead
        assert any(gadgets.in_member("member1", f"thing-{n}") for n in range(count // 2 + 1, count)), "the successor has not written yet"
    eventually(written, 60)
    print(f"     {time.monotonic() - killed:.1f} s from kill -9 of the leader to the writes of its successor (leaseDuration 15 s)", flush=True)
    for number in range(count):
        gadgets.propagated(f"thing-{number}", timeout=60)
    for member, before in done.items():
        found = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in t.env.apis[member].list(gadgets.target, plane.namespace)}
        expect(len(found), count, f"objects in {member}")
        expect({n: v for n, v in found.items() if n in before}, before, f"versions in {member} of what was finished before the kill")
    eventually(lambda: expect(len([o for o in t.host.list(k.PV, plane.namespace) if "thing-" in o["metadata"]["name"]]), count,
                              "PropagatedVersions"))


@test()
def leases_can_hold_the_lock(t):
    plane, gadgets, _ = t.private(members=("member1",), start=False)
    first = start(t, plane, "--leader-elect-resource-lock=leases", wait=True)
    lease = t.host.get(LEASES, plane.namespace, LOCK)["spec"]
    assert lease["holderIdentity"] and lease["leaseDurationSeconds"] == 60, lease
    second = start(t, plane, "--leader-elect-resource-lock=leases")
    second.wait_log("attempting to acquire leader lease")
    stays(lambda: expect("promoted as leader" in second.log(), False, "two leaders"), 2)
    first.stop()
    second.wait_log("Starting cluster controller")
    expect(t.host.find(k.CONFIGMAPS, plane.namespace, LOCK), None, "a lock in a ConfigMap")


@test()
def a_cold_standby_does_not_touch_the_members(t):
    plane, _, _ = t.private(config=SHORT, start=False)
    with Other(t, plane):
        controller = start(t, plane, "--warm-standby=false")
        controller.wait_log("attempting to acquire leader lease")
        stays(lambda: expect(metric(controller, 'kubefed_api_requests_sent_total{cluster="member1"}'), None, "requests"), 2)
    controller.wait_log("Starting cluster controller")


# ---- settings that change

@test(smoke=True)
def a_changed_kubefedconfig_is_noticed(t):
    plane, gadgets, _ = t.private(members=("member1",), start=False)
    plane.controller = controller = start(t, plane, wait=True)
    gadgets.create("one", ["member1"])
    gadgets.propagated("one", ["member1"])
    plane.write_config({"featureGates": [{"name": "PushReconciler", "configuration": "Disabled"}]})
    eventually(lambda: expect("Starting anew with the changed KubeFedConfig" in controller.log(), True, "told"))
    gadgets.create("two", ["member1"])
    stays(lambda: expect(t.member1.find(gadgets.target, plane.namespace, "two"), None, "object in member1"), 2)
    plane.write_config({"featureGates": [{"name": "PushReconciler", "configuration": "Enabled"}]})
    gadgets.propagated("two", ["member1"])
    expect(metric(controller, "kubefed_leader"), 1, "kubefed_leader")
    expect(controller.log().count("promoted as leader"), 1, "elections")


@test()
def an_invalid_change_leaves_the_last_good_settings_in_force(t):
    plane, gadgets, _ = t.private(members=("member1",), start=False)
    plane.controller = controller = start(t, plane, wait=True)
    for changes, words in (({"leaderElect": {"leaseDuration": "1s"}}, ["spec.leaderElect.leaseDuration"]),
                           ({"clusterHealthCheck": {"failureThreshold": 0}, "leaderElect": {"leaseDuration": "60s"}},
                            ["spec.clusterHealthCheck.failureThreshold", "should be greater than 0"]),
                           ({"clusterHealthCheck": {"failureThreshold": 3, "period": "soon"}}, ["spec.clusterHealthCheck.period", "soon"])):
        plane.write_config(changes)

        def told():
            lines = [line for line in controller.log().splitlines() if "The last good KubeFedConfig stays in force" in line]
            assert lines and all(w in lines[-1] for w in words), f"no {words} in {lines[-1:]}"
            expect(metric(controller, "kubefed_config_invalid"), 1, "kubefed_config_invalid")
        eventually(told)
    gadgets.create("one", ["member1"])
    gadgets.propagated("one", ["member1"])
    plane.write_config({"clusterHealthCheck": {"period": "1s"}})
    eventually(lambda: expect(metric(controller, "kubefed_config_invalid"), 0, "kubefed_config_invalid"))
    assert "Starting anew" not in controller.log()


@test()
def another_kind_of_lock_waits_for_a_restart(t):
    """Replicas notice a change one after the other, and two kinds of locks would be two leaders."""
    plane, gadgets, _ = t.private(members=("member1",), start=False)
    plane.controller = controller = start(t, plane, wait=True)
    plane.write_config({"leaderElect": {"resourceLock": "endpoints", "leaseDuration": "61s"}})
    eventually(lambda: expect("needs a restart of all replicas" in controller.log(), True, "told"))
    eventually(lambda: expect(record(t, plane)["leaseDurationSeconds"], 61, "duration of the lock, which did change"))
    eventually(lambda: expect(metric(controller, "kubefed_leader"), 1, "kubefed_leader"))
    expect(t.host.find(ENDPOINTS, plane.namespace, LOCK), None, "a lock of the other kind")
    gadgets.create("one", ["member1"])
    gadgets.propagated("one", ["member1"])


@test()
def a_file_of_settings_is_read_again(t):
    plane, gadgets, _ = t.private(members=("member1",), start=False)
    path = os.path.join(t.env.folder, t.unique("config") + ".json")

    def write(gate):
        spec = {**plane.config, "scope": "Namespaced", "featureGates": [{"name": "PushReconciler", "configuration": gate}]}
        with open(path + ".new", "w") as f:
            json.dump({"kind": "KubeFedConfig", "metadata": {"name": "kubefed"}, "spec": spec}, f)
        os.rename(path + ".new", path)
    write("Disabled")
    plane.controller = start(t, plane, "--kubefed-config", path, wait=True)
    gadgets.create("one", ["member1"])
    stays(lambda: expect(t.member1.find(gadgets.target, plane.namespace, "one"), None, "object in member1"), 2)
    write("Enabled")
    gadgets.propagated("one", ["member1"])
    # A pipe is not waited for: that would stop the whole process.
    os.unlink(path)
    os.mkfifo(path)
    eventually(lambda: expect(metric(plane.controller, "kubefed_config_invalid"), 1, "kubefed_config_invalid"))
    write("Enabled")
    eventually(lambda: expect(metric(plane.controller, "kubefed_config_invalid"), 0, "kubefed_config_invalid"))


# ---- start and end

@test()
def a_port_that_is_taken_is_tried_again(t):
    plane, _, _ = t.private(members=("member1",), start=False)
    port = faults.free_port()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        controller = Controller(plane, ["--metrics-addr", f"127.0.0.1:{port}"])
        controller.metrics_port = port
        controller.start()
        t.cleanup(lambda: controller.stop() if controller.alive() else None)
        assert "Cannot serve metrics" in controller.log(), controller.tail()
    eventually(lambda: expect(metric(controller, "kubefed_leader"), 1, "kubefed_leader"))


@test()
def the_default_scope_is_for_a_new_configuration_only(t):
    plane = t.plane("scope", "Namespaced")
    before = t.host.get(k.KFCONFIG, plane.namespace, "kubefed")
    controller = Controller(plane)
    controller.start(environment={"DEFAULT_KUBEFED_SCOPE": "Cluster"})
    t.cleanup(lambda: controller.stop() if controller.alive() else None)
    assert f'limited to the "{plane.namespace}" namespace' in controller.log(), controller.tail()
    expect(t.host.get(k.KFCONFIG, plane.namespace, "kubefed")["metadata"]["uid"], before["metadata"]["uid"], "KubeFedConfig")
    controller.stop()
    t.host.delete(k.KFCONFIG, plane.namespace, "kubefed")
    third = Controller(plane)
    third.start(wait=False, environment={"DEFAULT_KUBEFED_SCOPE": "Everywhere"})
    expect(third.process.wait(90 * slowness()), 255, "exit status")
    third.ended_on_purpose = True
    assert 'DEFAULT_KUBEFED_SCOPE is "Everywhere": want Cluster or Namespaced' in third.log(), third.tail()
    expect(t.host.find(k.KFCONFIG, plane.namespace, "kubefed"), None, "KubeFedConfig")
    second = Controller(plane)
    second.start(environment={"DEFAULT_KUBEFED_SCOPE": "Namespaced"})
    t.cleanup(lambda: second.stop() if second.alive() else None)
    expect(t.host.get(k.KFCONFIG, plane.namespace, "kubefed")["spec"]["scope"], "Namespaced", "scope")


@test()
def what_goes_on_inside_is_shown_to_the_machine_itself(t):
    """JSON on the health port; from elsewhere it is not there (unit:net/test_server says who is elsewhere)."""
    plane, gadgets, _ = t.private(start=False)
    port = faults.free_port()
    plane.controller = controller = start(t, plane, "--healthz-addr", f"127.0.0.1:{port}", wait=True)
    gadgets.create("thing")
    gadgets.propagated("thing")

    def debug(path, **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/debug/{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read().decode()
        for secret in t.env.secrets:
            assert secret not in text, "a token"
        return json.loads(text)
    expect(debug("")["leads"], True, "leads")
    expect(debug("clusters")["clusterCount"], 2, "clusterCount")
    clusters = {c["name"]: c for c in debug("clusters")["clusters"]}
    expect(sorted(clusters), ["member1", "member2"], "clusters")
    caches = {c["type"]: (c["state"], c.get("objects")) for c in clusters["member1"]["caches"]}
    expect(caches[gadgets.ftc], ("synced", 1), "cache")
    queues = {q["name"]: q for q in debug("queues")["queues"]}
    assert f"federated{gadgets.kind.lower()}" in queues and "federatedtypeconfig" in queues, sorted(queues)
    memory = debug("memory")
    assert memory["heap"]["inUseBytes"] > 0 and any(r["room"] == "kube" and r["calls"] for r in memory["allocatedSinceStart"]), memory

    def is_refused(**headers):
        try:
            debug("memory", **headers)
            raise AssertionError(f"it is shown all the same: {headers}")
        except urllib.error.HTTPError as e:
            expect(e.code, 404, f"status with {headers}")
    debug("memory", Host=f"localhost:{port}")      # as kubectl port-forward has it
    is_refused(Host=f"rebound.example:{port}")
    is_refused(**{"X-Forwarded-For": "192.0.2.1"})
    controller.stop()
    plane.controller = start(t, plane, "--healthz-addr", f"127.0.0.1:{port}", "--insight=none", wait=True)
    is_refused()


def was_given_back(t, plane, holder):
    """The lock by the replica that ended, which events tell."""
    expect(record(t, plane)["holderIdentity"], "", "holder")
    lock = t.host.get(k.CONFIGMAPS, plane.namespace, LOCK)["metadata"]

    def told():
        events = [e for e in t.host.list(k.EVENTS, plane.namespace)
                  if e["reason"] == "LeaderElection" and e["message"].startswith(holder)]
        expect(sorted(e["message"] for e in events), [f"{holder} became leader", f"{holder} stopped leading"], "events")
        expect({e["involvedObject"]["uid"] for e in events}, {lock["uid"]}, "the object of the events")
    eventually(told, 30)


@test()
def a_clean_end_gives_the_lock_back(t):
    """It waits 5 s for the answer about the lock and 1 s for that about the event: a busy host may miss that once."""
    plane, _, _ = t.private(members=("member1",))
    for attempts_left in (2, 1, 0):
        holder = record(t, plane)["holderIdentity"]
        assert holder
        plane.controller.stop()
        try:
            was_given_back(t, plane, holder)
            return
        except AssertionError as e:
            if not attempts_left:
                raise
            t.missed(f"the lock was not given back: {e}")
        plane.start()


@test()
def wrong_flags_are_named_with_what_they_take(t):
    for arguments, text in ((["-v", "x"], 'invalid argument "x" for "-v, --v" flag: want a number from 0 to 100'),
                            (["--leader-elect-resource-lock=files"], "want configmaps, endpoints or leases"),
                            (["--rest-config-qps=fast"], 'invalid argument "fast" for "--rest-config-qps" flag: want a number'),
                            (["--warm-standby=maybe"], "want true or false"), (["--vmodule=sync"], "want pattern=N"),
                            (["--logging-format=xml"], "want text or json"), (["--metrics-addr"], "flag needs an argument: --metrics-addr"),
                            (["--no-such-flag"], "unknown flag: --no-such-flag"), (["start"], 'unexpected argument "start"')):
        result = subprocess.run([os.path.join(t.env.bin, "controller-manager"), *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60 * slowness())
        expect(result.returncode, 1, f"exit status of {arguments}")
        assert text in result.stderr, f"no {text!r} in {result.stderr!r}"


@test()
def logs_can_be_json(t):
    plane, _, _ = t.private(members=("member1",), start=False)
    controller = start(t, plane, "--logging-format=json", wait=True)
    controller.stop()
    lines = [line for line in controller.log().splitlines() if not line.startswith("KubeFed controller-manager version")]
    for line in lines:
        entry = json.loads(line)
        expect(sorted(entry), ["caller", "level", "msg", "ts"], f"members of {line}")
        assert entry["level"] in ("info", "warning", "error") and abs(entry["ts"] / 1000 - time.time()) < 3600, line
    assert any("promoted as leader" in line for line in lines)
