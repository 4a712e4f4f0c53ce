"""kubefedctl doctor: each kind of fault is found and comes with what to do; nothing is written."""
import base64
import datetime
import json
import os
import subprocess

from harness import eventually, expect, k, kubeconfig_with, make_admin, run_ctl, test, token_for
from proxies import Authority, Gateway
from test_join_preflight import CONTROLLER
from test_renewal import aged, requested

VALIDATING = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def doctor(plane, *arguments):
    """(exit status, {(subject, name): [(result, message, advice)]})"""
    result = plane.run_ctl("doctor", "-o", "json", *arguments)
    found = {}
    for check in json.loads(result.stdout)["checks"]:
        found.setdefault((check["subject"], check["name"]), []).append((check["result"], check["message"], check.get("advice")))
    return result.returncode, found


def finds(plane, subject, name, verdict, text, *arguments, advice=True):
    """There is such a finding; failures end with status 255."""
    status, found = doctor(plane, *arguments)
    fitting = [f for f in found.get((subject, name), []) if f[0] == verdict and text in f[1]]
    assert fitting, f"no {verdict} with {text!r} at {subject}/{name} in {json.dumps([[*key, *v] for key, v in found.items()], indent=1)}"
    assert not advice or fitting[0][2], f"no advice: {fitting[0]}"
    if verdict == "failure":
        expect(status, 255, "exit status")
    return found


def healthy(t, prefix="ward"):
    """A small control plane of its own with a running controller."""
    plane, gadgets, proxies = t.private(proxied=("member2",))
    gadgets.create("thing")
    gadgets.propagated("thing")
    return plane, gadgets, proxies


@test(smoke=True)
def a_healthy_installation_passes(t):
    plane, _, _ = healthy(t)

    def fine():
        status, found = doctor(plane)
        # Gadgets are served by members only; deletions of other planes of this run are no matter of this one.
        expect([[*key, *f] for key, here in found.items() for f in here if f[0] != "ok" and key[0] != "Leftovers" and
                "members may" not in f[1]], [],
               "what is not well")
        return status
    eventually(fine)
    text = plane.ctl("doctor", "--skip-members")
    for subject in ("Host", "Controller manager", "Webhook", "Types", "Clusters"):
        assert f"\n{subject}\n" in "\n" + text, text
    assert "\nMembers\n" not in text and "0 failures" in text, text
    expect(plane.run_ctl("doctor", "--problems").returncode, 0, "exit status of --problems")


@test()
def a_control_plane_that_is_not_there_is_told(t):
    plane = t.plane("ward")
    t.host.delete(k.KFCONFIG, plane.namespace, "kubefed")
    finds(plane, "Host", "KubeFedConfig", "failure", "does not exist")
    finds(plane, "Controller manager", "leader", "failure", "no controller manager has ever led here")
    finds(plane, "Clusters", "any", "warning", "no cluster is registered")
    finds(plane, "Types", "any", "warning", "no type is enabled")
    result = run_ctl(t.env, "doctor", "--host-cluster-context", "host", "--kubefed-namespace", "no-such-namespace", "-o", "json")
    checks = {c["name"]: c for c in json.loads(result.stdout)["checks"]}
    expect((result.returncode, checks["system namespace"]["result"]), (255, "failure"), "a namespace that does not exist")
    assert "checks failed" in result.stderr, result.stderr


@test()
def a_leader_that_is_gone_and_a_bad_configuration_are_told(t):
    plane = t.plane("ward", config={"clusterHealthCheck": {"period": "-1s"}})
    finds(plane, "Host", "KubeFedConfig", "failure", "clusterHealthCheck.period")
    plane.write_config({"clusterHealthCheck": {"period": "1s"}})
    with plane.running():
        eventually(lambda: finds(plane, "Controller manager", "leader", "ok", "leads, renewed", advice=False))
    finds(plane, "Controller manager", "leader", "failure", "gave the lock back")
    record = {"holderIdentity": "pod_x", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00Z"}
    t.host.patch(k.CONFIGMAPS, plane.namespace, "kubefed-controller-manager",
                 {"metadata": {"annotations": {"control-plane.alpha.kubernetes.io/leader": json.dumps(record)}}})
    finds(plane, "Controller manager", "leader", "failure", "pod_x leads, renewed")
    t.host.create(k.DEPLOYMENTS, plane.namespace, {**CONTROLLER, "spec": {**CONTROLLER["spec"], "replicas": 2}})
    finds(plane, "Controller manager", "Deployment", "failure", "0 of 2 replicas are ready")


@test()
def rights_that_the_controller_lacks_are_named(t):
    plane = t.plane("ward")
    t.host.create(k.SERVICEACCOUNTS, plane.namespace, {"metadata": {"name": "kubefed-controller"}})
    plane.ctl("enable", "configmaps")
    finds(plane, "Controller manager", "rights", "failure", "patch federatedconfigmaps.types.kubefed.io")
    name = t.unique("rights")
    t.host.create(k.CLUSTERROLES, None, {"metadata": {"name": name}, "rules": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create", "update"]}]})
    t.cleanup(lambda: t.host.delete(k.CLUSTERROLES, None, name))
    t.host.create(k.CLUSTERROLEBINDINGS, None, {
        "metadata": {"name": name}, "subjects": [{"kind": "ServiceAccount", "name": "kubefed-controller", "namespace": plane.namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}})
    t.cleanup(lambda: t.host.delete(k.CLUSTERROLEBINDINGS, None, name))

    def only_patch():
        found = finds(plane, "Controller manager", "rights", "failure", "patch federatedconfigmaps.types.kubefed.io/status")
        assert "list federated" not in found[("Controller manager", "rights")][0][1], found
    eventually(only_patch)
    t.host.patch(k.CLUSTERROLES, None, name, {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]})
    eventually(lambda: finds(plane, "Controller manager", "rights", "ok", "may do what it must", advice=False))


@test()
def a_webhook_that_the_api_server_cannot_use_is_told(t):
    plane = t.plane("ward")
    name = f"validations.core.kubefed.io-{plane.namespace}"
    authority = Authority(os.path.join(t.env.folder, t.unique("authority")))
    hook = {"name": "kubefedclusters.core.kubefed.io", "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            # It matches no object: only what doctor says of it matters.
            "namespaceSelector": {"matchLabels": {"no": "namespace"}},
            "clientConfig": {"service": {"name": "hook", "namespace": plane.namespace}},
            "rules": [{"apiGroups": ["core.kubefed.io"], "apiVersions": ["v1beta1"], "operations": ["CREATE"],
                       "resources": ["kubefedclusters"]}]}
    t.host.create(VALIDATING, None, {"metadata": {"name": name}, "webhooks": [hook]})
    t.cleanup(lambda: t.host.delete(VALIDATING, None, name))
    finds(plane, "Webhook", name, "failure", "has no caBundle")
    finds(plane, "Webhook", name, "failure", "no pod is behind Service")

    def bundle(ca):
        hook["clientConfig"]["caBundle"] = ca
        t.host.patch(VALIDATING, None, name, {"webhooks": [hook]})
    bundle(authority.ca)
    finds(plane, "Webhook", name, "ok", "caBundle is valid until", advice=False)
    for names, text in ((f"DNS:hook.{plane.namespace}.svc", None), ("DNS:other", "hostname"), ("IP:127.0.0.1", "hostname")):
        path = authority.certificate(t.unique("serving"), names)
        with open(path, "rb") as f:
            data = {"tls.crt": base64.b64encode(f.read()).decode()}
        secret = "kubefed-admission-webhook-serving-cert"
        if t.host.find(k.SECRETS, plane.namespace, secret):
            t.host.patch(k.SECRETS, plane.namespace, secret, {"data": data})
        else:
            t.host.create(k.SECRETS, plane.namespace, {"metadata": {"name": secret}, "data": data})
        if text:
            finds(plane, "Webhook", "serving certificate", "failure", text)
        else:
            assert ("Webhook", "serving certificate") not in doctor(plane)[1], "a good certificate is no finding"
    bundle(Authority(os.path.join(t.env.folder, t.unique("authority"))).ca)
    finds(plane, "Webhook", "serving certificate", "failure", "the API server will not take the certificate")
    t.host.create(k.SERVICES, plane.namespace, {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443}]}})
    t.host.call("POST", f"/api/v1/namespaces/{plane.namespace}/endpoints", {
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "hook"},
        "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 443}]}]})
    assert not [f for f in doctor(plane)[1][("Webhook", name)] if "no pod" in f[1]], "a pod is behind the Service"


@test()
def types_that_do_not_work_are_told(t):
    plane, gadgets, _ = healthy(t)
    ftc = next(f["metadata"]["name"] for f in t.host.list(k.FTC, plane.namespace) if f["metadata"]["name"] != "namespaces")
    live = t.host.get(k.FTC, plane.namespace, ftc)
    t.host.patch(k.FTC, plane.namespace, ftc, {"spec": {"propagation": "Disabled"}})
    finds(plane, "Types", ftc, "warning", "propagation is disabled")
    plane.controller.stop()
    t.host.patch(k.FTC, plane.namespace, ftc, {"spec": {"propagation": "Enabled"}})
    finds(plane, "Types", ftc, "failure", "not seen its last change" if live["status"]["propagationController"] == "x" else "is not running")
    twin = {"metadata": {"name": "twins.e2e.example.com"}, "spec": {**live["spec"], "targetType": {
        **live["spec"]["targetType"], "group": "e2e.example.com", "pluralName": "twins", "kind": "Twin"}}}
    t.host.create(k.FTC, plane.namespace, twin)
    t.cleanup(lambda: t.host.delete(k.FTC, plane.namespace, "twins.e2e.example.com", missing_ok=True))
    found = finds(plane, "Types", ftc, "failure", "uses the same federated type")
    assert any("the host does not serve twins.e2e.example.com" in f[1] for f in found[("Types", "twins.e2e.example.com")]), found
    finds(plane, "Members", "member1", "warning", "does not serve twins.e2e.example.com")
    plane.start()


@test()
def credentials_that_are_missing_or_end_are_told(t):
    plane = t.plane("ward")
    server, ca = t.env.entry("member1")
    account = t.unique("doctor")
    fresh = requested(t, "member1", account)
    plane.add_cluster("good", server, fresh, ca)
    plane.add_cluster("ends", server, aged(t, "member1", fresh, 3500, 100), ca)
    plane.add_cluster("over", server, aged(t, "member1", fresh, 3600, -120), ca)
    plane.add_cluster("empty", server, None, ca)
    plane.add_cluster("lost", server, fresh, ca)
    t.host.delete(k.SECRETS, plane.namespace, "lost-secret")
    plane.add_cluster("bad", "ftp://x", fresh, ca)
    result = plane.run_ctl("doctor", "-o", "json")
    for token in (fresh, fresh.split(".")[1]):
        assert token not in result.stdout + result.stderr, "a part of a token is shown"
    finds(plane, "Clusters", "good", "ok", "its token is valid until", advice=False)
    finds(plane, "Clusters", "ends", "warning", "its token is valid until")
    finds(plane, "Clusters", "over", "failure", "its token expired")
    finds(plane, "Clusters", "empty", "failure", 'has no usable key "token"')
    finds(plane, "Clusters", "lost", "failure", 'its Secret "lost-secret" does not exist')
    finds(plane, "Clusters", "bad", "failure", "it is invalid")
    finds(plane, "Members", "over", "failure", "cannot be reached as the controller manager does")
    finds(plane, "Members", "good", "ok", "answers with", advice=False)
    t.host.create(k.SECRETS, plane.namespace, {"metadata": {"name": "gone-abc12"}, "data": {"token": "eA=="}})
    finds(plane, "Leftovers", "Secrets", "warning", "gone-abc12")


@test()
def members_are_judged_as_the_controller_reaches_them(t):
    plane = t.plane("ward", config={"clusterHealthCheck": {"period": "10m"}})
    server, ca = t.env.entry("member1")
    token = t.env.admin_token("member1")
    authority = Authority(os.path.join(t.env.folder, t.unique("authority")))
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=10)).strftime("%Y%m%d%H%M%SZ")
    gateways = {name: Gateway(t.env.apis["member1"], ca, authority.certificate(name, end=end)) for name, end in (
        ("ahead", "20390101000000Z"), ("short", soon), ("refuses", "20390101000000Z"), ("fails", "20390101000000Z"))}
    for gateway in gateways.values():
        t.cleanup(gateway.close)
    gateways["ahead"].clock = 3600
    gateways["refuses"].refuse = lambda *_: 401
    gateways["fails"].refuse = lambda *_: 500
    for name, gateway in gateways.items():
        plane.add_cluster(name, gateway.endpoint, token, authority.ca)
    plane.add_cluster("distrusts", gateways["ahead"].endpoint, token, ca)
    plane.add_cluster("down", "https://127.0.0.1:1", token, ca)
    plane.add_cluster("well", server, token, ca)
    found = finds(plane, "Members", "ahead", "warning", "its clock is")
    finds(plane, "Members", "short", "warning", "a certificate ends within 30 days")
    for name, text in (("refuses", "cannot be reached"), ("fails", "cannot be reached"), ("distrusts", "unknown authority"),
                       ("down", "cannot be reached")):
        assert any(f[0] == "failure" and text in f[1] for f in found[("Members", name)]), found
    expect([f[0] for f in found[("Members", "well")]], ["ok"], "a member that is well")
    since = {name: len(g.requests) for name, g in gateways.items()}
    doctor(plane, "--skip-members")
    expect({name: len(g.requests) for name, g in gateways.items()}, since, "requests to members with --skip-members")
    t.host.create(k.DEPLOYMENTS, plane.namespace, CONTROLLER)
    finds(plane, "Clusters", "well", "failure", "is on loopback")


@test()
def a_deletion_that_does_not_end_is_told_with_the_cluster_it_waits_for(t):
    """The host's clock is moved, so that the five minutes are over at once."""
    plane, gadgets, proxies = t.private(proxied=("member2",), config={"clusterHealthCheck": {"failureThreshold": 1}})
    gadgets.create("thing")
    gadgets.propagated("thing")
    proxies["member2"].refuse()
    eventually(lambda: expect(k.condition(plane.cluster("member2"), "Ready").get("status") != "True", True, "lost"), 30)
    t.host.delete(gadgets.fed, plane.namespace, "thing")
    eventually(lambda: expect(gadgets.clusters("thing"), {"member2": "ClusterNotReady"}, "clusters"), 30)
    authority = Authority(os.path.join(t.env.folder, t.unique("authority")))
    host = Gateway(t.host, t.env.entry("host")[1], authority.certificate("host"))
    t.cleanup(host.close)
    host.clock = 3600

    def change(config):
        entry = next(c["cluster"] for c in config["clusters"] if c["name"] == "host")
        entry.clear()
        entry.update({"server": host.endpoint, "certificate-authority-data": authority.ca})
        user = next(u["user"] for u in config["users"] if u["name"] == "host")
        user.clear()
        user["token"] = t.env.admin_token("host")
    path = kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)
    result = run_ctl(t.env, "doctor", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace, kubeconfig=path)
    expect(result.returncode, 255, "exit status")
    assert f"{plane.namespace}/thing (for " in result.stdout and "ClusterNotReady: member2" in result.stdout, result.stdout
    assert "kubefed.io/orphan-unreachable-after" in result.stdout, result.stdout
    assert "the host's clock is 3600 s ahead of" in result.stdout or "s ahead of that of this machine" in result.stdout, result.stdout


@test()
def what_may_not_be_read_is_unknown(t):
    plane = t.plane("ward")
    plane.add_member("member1")
    account = t.unique("nobody")
    make_admin(t.host, account)
    t.host.delete(k.CLUSTERROLEBINDINGS, None, f"e2e:{account}")
    token = token_for(t.host, account)

    def change(config):
        user = next(u["user"] for u in config["users"] if u["name"] == "host")
        user.clear()
        user["token"] = token
    path = kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)

    def told():
        result = run_ctl(t.env, "doctor", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace,
                         kubeconfig=path)
        expect(result.returncode, 0, f"exit status: {result.stderr}{result.stdout}")
        assert "????" in result.stdout and "could not be made" in result.stdout, result.stdout
        assert "Run doctor with an account that may read it." in result.stdout and token not in result.stdout, result.stdout
    eventually(told)


@test()
def nothing_is_written(t):
    plane, gadgets, _ = healthy(t)
    plane.controller.stop()

    def versions():
        return {f"{r} {o['metadata']['name']}": o["metadata"]["resourceVersion"] for r in (
            k.KFC, k.KFCONFIG, k.FTC, k.SECRETS, k.CONFIGMAPS, k.PV, gadgets.fed) for o in t.host.list(r, plane.namespace)}
    before = versions()
    plane.run_ctl("doctor")
    expect(versions(), before, "resource versions")
    for form in ("json", "yaml"):
        assert plane.run_ctl("doctor", "-o", form).stdout, form
    result = plane.run_ctl("doctor", "-o", "wide")
    assert result.returncode == 255 and "one of: json, yaml" in result.stderr, result.stderr
    full = subprocess.run([os.path.join(t.env.bin, "kubefedctl"), "doctor", "--kubeconfig", t.env.kubeconfig,
                           "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace],
                          stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    assert full.returncode == 255, full.stderr
    plane.start()
