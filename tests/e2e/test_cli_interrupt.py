"""Ctrl-C in the middle of a verb: what was reported is what is there, and the command can be repeated (A-10).

A gateway holds one request of the verb, before it reaches the API server or after the API server has answered it; then
the verb is interrupted.
"""
import base64
import threading

from cli_cases import Gateways, error_of, established, interrupt, must
from harness import eventually, expect, k, test

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PATIENCE = 90   # seconds until a verb comes to the request that is held


class Hold:
    """Holds the first request that fits, at one gateway."""

    def __init__(self, t, gateway, method, path, answered=False):
        self.held, self.go = threading.Event(), threading.Event()
        self._taken, self._request = False, (method, path)
        self._gateway, self._answered, self._serve = gateway, answered, gateway.serve
        gateway.serve = self.serve
        t.cleanup(self.release)

    def serve(self, handler, body):
        if self._taken or (handler.command, handler.path.partition("?")[0]) != self._request:
            self._serve(handler, body)
            return
        self._taken = True
        if self._answered:
            handler.wfile = Late(handler.wfile, self)
            self._serve(handler, body)
        else:
            # Whoever asked is gone: the request is not passed on.
            self.held.set()
            self.go.wait(60)
            handler.close_connection = True

    def release(self):
        self.go.set()
        self._gateway.serve = self._serve


class Late:
    """Where an answer is written to; it gets there when the request is released."""

    def __init__(self, file, hold):
        self._file, self._hold = file, hold

    def write(self, data):
        self._hold.held.set()
        self._hold.go.wait(60)
        return self._file.write(data)

    def flush(self):
        self._file.flush()

    def close(self):
        self._file.close()

    @property
    def closed(self):
        return self._file.closed


def objects(t, plane):
    """What a join may leave: {word of the report: the object, or None}."""
    ns = plane.namespace
    account = f"member1-{ns}"
    role = f"kubefed-controller-manager:{account}"
    secrets = [s for s in t.host.list(k.SECRETS, ns) if s["type"] == "Opaque"]
    return {"Namespace": t.member1.find(k.NAMESPACES, None, ns),
            "ServiceAccount": t.member1.find(k.SERVICEACCOUNTS, ns, account),
            "ClusterRole": t.member1.find(k.CLUSTERROLES, None, role),
            "ClusterRoleBinding": t.member1.find(k.CLUSTERROLEBINDINGS, None, role),
            "Secret": secrets[0] if secrets else None, "KubeFedCluster": t.host.find(k.KFC, ns, "member1")}


def reported(text):
    """The words of the lines below "Done before that:"."""
    if "Done before that:" not in text:
        return set()
    lines = text.split("Done before that:\n", 1)[1].splitlines()
    return {line.split()[0] for line in lines if line.startswith("  ") and " created " in line}


def points(ns):
    """(gateway, method, path) of the requests at which a join is stopped, in their order."""
    account = f"member1-{ns}"
    core = f"/apis/core.kubefed.io/v1beta1/namespaces/{ns}"
    return [("H", "GET", f"{core}/kubefedconfigs/kubefed"),
            ("M", "GET", f"/api/v1/namespaces/{ns}/serviceaccounts/{account}"),
            ("M", "POST", "/api/v1/namespaces"), ("M", "POST", f"/api/v1/namespaces/{ns}/serviceaccounts"),
            ("M", "POST", f"{RBAC}/clusterroles"), ("M", "POST", f"{RBAC}/clusterrolebindings"),
            ("H", "POST", f"/api/v1/namespaces/{ns}/secrets"), ("H", "POST", f"{core}/kubefedclusters")]


def stop_join(t, gateways, point, answered):
    """Interrupts a join at that request; the text that it left."""
    letter, method, path = point
    hold = Hold(t, gateways.of[letter], method, path, answered)
    process = gateways.start("join", "member1", "--host-cluster-name", gateways.plane.namespace)
    assert hold.held.wait(PATIENCE), f"join does not come to {method} {path}; it has sent {gateways.log}"
    status, out, err = interrupt(process)
    hold.release()
    expect((status, out), (130, ""), f"exit status and stdout at {method} {path} ({err})")
    assert "join was interrupted." in err, err
    return err


def finish_and_undo(t, plane, gateways):
    """The same command goes on with --error-on-existing=false, and unjoin takes everything back."""
    ns = plane.namespace
    must(gateways.run("join", "member1", "--host-cluster-name", ns, "--error-on-existing=false")[0])
    there = objects(t, plane)
    expect([word for word, obj in there.items() if obj is None], [], "what is missing after the repetition")
    name = there["KubeFedCluster"]["spec"]["secretRef"]["name"]
    token = base64.b64decode(t.host.get(k.SECRETS, ns, name)["data"]["token"]).decode()
    answer = t.member1.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}})
    assert answer["status"].get("authenticated"), "the member does not accept the token"
    must(gateways.run("unjoin", "member1", "--host-cluster-name", ns)[0])
    t.gone(t.member1, k.NAMESPACES, None, ns, timeout=180)
    for secret in t.host.list(k.SECRETS, ns):
        if secret["type"] == "Opaque":      # one that an interrupted join could not know of
            t.host.delete(k.SECRETS, ns, secret["metadata"]["name"])


@test()
def an_interrupted_join_reports_what_is_there(t):
    plane = t.plane("interrupt", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    gateways.tokens_in_time("M")
    for point in points(plane.namespace):
        err = stop_join(t, gateways, point, answered=False)
        there = {word for word, obj in objects(t, plane).items() if obj is not None}
        expect(sorted(reported(err)), sorted(there), f"reported, and there, after Ctrl-C at {point}:\n{err}")
        if point[1] == "GET":
            assert "Nothing was changed." in err, err
        else:       # whether the last request was carried out is not known
            assert "Under way at that moment, and perhaps done: create " in err, err
        if there:
            assert "--error-on-existing=false" in err, f"how to go on is not told: {err}"
        finish_and_undo(t, plane, gateways)


@test()
def an_interrupted_join_says_what_may_be_there(t):
    """The API server has done it, the answer does not arrive: that is told as what was being done."""
    plane = t.plane("interrupt", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    gateways.tokens_in_time("M")
    for point in points(plane.namespace)[2:]:
        err = stop_join(t, gateways, point, answered=True)
        there = {word for word, obj in objects(t, plane).items() if obj is not None}
        last = there - reported(err)
        assert len(last) == 1, f"{sorted(last)} are there and not reported after Ctrl-C at {point}:\n{err}"
        resource = point[2].rsplit("/", 1)[1]
        under_way = f'Under way at that moment, and perhaps done: create "{resource}'
        assert under_way in err, f"{sorted(last)} is not told:\n{err}"
        assert "Nothing was changed." not in err, f"{sorted(there)} are there:\n{err}"
        finish_and_undo(t, plane, gateways)


@test()
def an_interrupted_unjoin_can_be_repeated(t):
    plane = t.plane("interrupt", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    ns = plane.namespace
    account = f"member1-{ns}"
    must(gateways.run("join", "member1", "--host-cluster-name", ns)[0])
    for letter, path, left in (("M", f"{RBAC}/clusterroles/kubefed-controller-manager%3A{account}", True),
                               ("M", f"/api/v1/namespaces/{ns}", True), ("H", None, True)):
        if path is None:
            path = f"/apis/core.kubefed.io/v1beta1/namespaces/{ns}/kubefedclusters/member1"
        hold = Hold(t, gateways.of[letter], "DELETE", path)
        process = gateways.start("unjoin", "member1", "--host-cluster-name", ns)
        assert hold.held.wait(PATIENCE), f"unjoin does not come to {path}"
        status, out, err = interrupt(process)
        hold.release()
        expect((status, out), (130, ""), f"exit status and stdout ({err})")
        assert "unjoin was interrupted." in err and ("Done before that:" in err or path.startswith(RBAC)), err
        expect(t.host.find(k.KFC, ns, "member1") is not None, left, "the registration is still there")
    must(gateways.run("unjoin", "member1", "--host-cluster-name", ns)[0])
    expect(objects(t, plane)["KubeFedCluster"], None, "KubeFedCluster")


@test()
def an_interrupted_enable_reports_what_was_printed(t):
    plane = t.plane("interrupt", "Cluster")
    gateways = Gateways(t, plane, H="host")
    ns = plane.namespace
    crd = "federatedvolumeattachments.types.kubefed.io"
    hold = Hold(t, gateways.of["H"], "POST", f"/apis/core.kubefed.io/v1beta1/namespaces/{ns}/federatedtypeconfigs")
    process = gateways.start("enable", "volumeattachments")
    assert hold.held.wait(PATIENCE), "enable does not come to the FederatedTypeConfig"
    status, out, err = interrupt(process)
    hold.release()
    expect((status, out), (130, f"customresourcedefinition.apiextensions.k8s.io/{crd} created\n"),
           f"exit status and stdout ({err})")
    assert "enable was interrupted." in err and "Nothing was changed." not in err, err
    t.host.get(k.CRDS, None, crd)
    established(t.host, crd)
    expect(t.host.list(k.FTC, ns), [], "FederatedTypeConfigs")
    must(gateways.run("enable", "volumeattachments")[0])
    expect(len(t.host.list(k.FTC, ns)), 1, "FederatedTypeConfigs")


@test()
def an_interrupted_disable_leaves_the_type_disabled(t):
    plane = t.plane("interrupt", "Cluster")
    gateways = Gateways(t, plane, H="host")
    must(gateways.run("enable", "csidrivers")[0])
    process = gateways.start("disable", "csidrivers", "--timeout", "1m")
    eventually(lambda: expect(len([r for r in gateways.log if r[2].endswith("/csidrivers.storage.k8s.io")]) > 3, True,
                              "it waits"))
    status, out, err = interrupt(process)
    expect(status, 130, f"exit status ({err})")
    shown = f'"{plane.namespace}/csidrivers.storage.k8s.io"'
    expect(out, f"Disabled propagation for FederatedTypeConfig {shown}\n"
                f"Verifying propagation controller is stopped for FederatedTypeConfig {shown}\n", "stdout")
    assert "Nothing was changed." not in err, err
    expect(t.host.get(k.FTC, plane.namespace, "csidrivers.storage.k8s.io")["spec"]["propagation"], "Disabled",
           "propagation")


@test()
def contents_that_stop_in_the_middle_report_what_was_created(t):
    plane = t.main()
    gateways = Gateways(t, plane, H="host")
    namespace = t.namespace(federate=False)
    for name in ("a", "b", "c"):
        t.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": name}})
    t.configmap(namespace, "b")
    error = error_of(result := gateways.run("federate", "ns", namespace, "-c")[0])
    assert error.startswith(f'Error creating federated resource "{namespace}/b": '), error
    for text in (f'FederatedNamespace "{namespace}/{namespace}" created',
                 f'FederatedConfigMap "{namespace}/a" created'):
        assert f"  {text}\n" in result.stderr, result.stderr
    expect([o["metadata"]["name"] for o in t.host.list(f"{k.FED}configmaps", namespace)], ["a", "b"],
           "federated objects")
