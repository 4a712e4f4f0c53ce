"""kubefedctl doctor: each kind of fault is found and comes with what to do; nothing is written."""
import base64
import datetime
import json
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from cli_cases import enable_shared
from faults import PretendedMember, Proxy
from harness import (eventually, expect, k, kubeconfig_with, make_admin, run_ctl, settle, slowness, test, token_for,
                     write_counts, writes_between)
from proxies import Authority, Gateway
from test_join_preflight import CONTROLLER
from test_renewal import aged, requested

VALIDATING = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def by_name(result):
    """{(subject, name): [(result, message, advice)]} of what doctor -o json printed."""
    found = {}
    for check in json.loads(result.stdout)["checks"]:
        finding = check["result"], check["message"], check.get("advice")
        found.setdefault((check["subject"], check["name"]), []).append(finding)
    return found


def doctor(plane, *arguments):
    """(exit status, {(subject, name): [(result, message, advice)]})"""
    result = plane.run_ctl("doctor", "-o", "json", *arguments)
    return result.returncode, by_name(result)


class Forger(Gateway):
    """A gateway that changes what is read: forge(path, object) gives what is answered instead, an object or bytes."""

    forge = staticmethod(lambda path, answer: answer)

    def serve(self, handler, body):
        path, _, query = handler.path.partition("?")
        if handler.command != "GET" or self.refuse("GET", path, query):
            super().serve(handler, body)
            return
        self.requests.append((handler.command, path, query))
        handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        status, data = self._read(handler)
        try:
            forged = self.forge(path, json.loads(data)) if status == 200 else data
        except ValueError:
            forged = data
        data = forged if isinstance(forged, bytes) else json.dumps(forged).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _read(self, handler):
        request = urllib.request.Request(f"https://{self._upstream.netloc}{handler.path}", headers={
            name: handler.headers[name] for name in ("Authorization", "Accept") if handler.headers[name]})
        try:
            with urllib.request.urlopen(request, context=self._trust) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()


def forger(t, context="host"):
    authority = Authority(os.path.join(t.env.folder, t.unique("authority")))
    gateway = Forger(t.env.apis[context], t.env.entry(context)[1], authority.certificate(context))
    t.cleanup(gateway.close)
    return gateway, authority


def kubeconfig_behind(t, gateway, authority):
    """A kubeconfig that reaches the host through the gateway."""
    def change(config):
        entry = next(c["cluster"] for c in config["clusters"] if c["name"] == "host")
        entry.clear()
        entry.update({"server": gateway.endpoint, "certificate-authority-data": authority.ca})
        user = next(u["user"] for u in config["users"] if u["name"] == "host")
        user.clear()
        user["token"] = t.env.admin_token("host")
    return kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)


def doctor_behind(t, plane, kubeconfig, *arguments):
    return run_ctl(t.env, "doctor", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace,
                   *arguments, kubeconfig=kubeconfig)


def told(found, subject, name, verdict, text):
    """The finding of that kind; a warning or failure comes with what to do."""
    fitting = [f for f in found.get((subject, name), []) if f[0] == verdict and text in f[1]]
    assert fitting, f"no {verdict} with {text!r} at {subject}/{name} in " + \
        json.dumps([[*key, *v] for key, v in found.items()], indent=1)
    assert verdict not in ("warning", "failure") or fitting[0][2], f"no advice: {fitting[0]}"
    return fitting[0]


def finds(plane, subject, name, verdict, text, *arguments, advice=True):
    """There is such a finding; failures end with status 255."""
    status, found = doctor(plane, *arguments)
    finding = told(found, subject, name, verdict, text)
    assert not advice or finding[2], f"no advice: {finding}"
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

    def no_failure():       # a probe of a second that is late makes a member not ready for a moment
        text = plane.ctl("doctor", "--skip-members")
        for subject in ("Host", "Controller manager", "Webhook", "Types", "Clusters"):
            assert f"\n{subject}\n" in "\n" + text, text
        assert "\nMembers\n" not in text and "0 failures" in text, text
        expect(plane.run_ctl("doctor", "--problems").returncode, 0, "exit status of --problems")
    eventually(no_failure)


@test()
def a_control_plane_that_is_not_there_is_told(t):
    plane = t.plane("ward")
    t.host.delete(k.KFCONFIG, plane.namespace, "kubefed")
    finds(plane, "Host", "KubeFedConfig", "failure", "does not exist")
    finds(plane, "Controller manager", "leader", "failure", "no controller manager has ever led here")
    finds(plane, "Clusters", "any", "warning", "no cluster is registered")
    finds(plane, "Types", "any", "warning", "no type is enabled")
    result = run_ctl(t.env, "doctor", "--host-cluster-context", "host", "--kubefed-namespace", "no-such-namespace",
                     "-o", "json")
    checks = {c["name"]: c for c in json.loads(result.stdout)["checks"]}
    expect((result.returncode, checks["system namespace"]["result"]), (255, "failure"), "namespace that does not exist")
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
    enable_shared(plane, "configmaps")
    finds(plane, "Controller manager", "rights", "failure", "patch federatedconfigmaps.types.kubefed.io")
    name = t.unique("rights")
    t.host.create(k.CLUSTERROLES, None, {"metadata": {"name": name}, "rules": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create", "update"]}]})
    t.cleanup(lambda: t.host.delete(k.CLUSTERROLES, None, name))
    t.host.create(k.CLUSTERROLEBINDINGS, None, {
        "metadata": {"name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "kubefed-controller", "namespace": plane.namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}})
    t.cleanup(lambda: t.host.delete(k.CLUSTERROLEBINDINGS, None, name))

    def only_patch():
        found = finds(plane, "Controller manager", "rights", "failure",
                      "patch federatedconfigmaps.types.kubefed.io/status")
        assert "list federated" not in found[("Controller manager", "rights")][0][1], found
    eventually(only_patch)
    t.host.patch(k.CLUSTERROLES, None, name, {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]})
    eventually(lambda: finds(plane, "Controller manager", "rights", "ok", "may do what it must", advice=False))


@test()
def a_webhook_that_the_api_server_cannot_use_is_told(t):
    plane = t.plane("ward")
    name = f"validations.core.kubefed.io-{plane.namespace}"
    authority = Authority(os.path.join(t.env.folder, t.unique("authority")))
    hook = {"name": "kubefedclusters.core.kubefed.io", "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            # It matches no object: only what doctor says of it matters.
            "namespaceSelector": {"matchLabels": {"no": "namespace"}},
            "clientConfig": {"service": {"name": "hook", "namespace": plane.namespace}},
            "rules": [{"apiGroups": ["core.kubefed.io"], "apiVersions": ["v1beta1"], "operations": ["CREATE"],
                       "resources": ["kubefedclusters"]}]}
    t.host.create(VALIDATING, None, {"metadata": {"name": name}, "webhooks": [hook]})
    t.cleanup(lambda: t.host.delete(VALIDATING, None, name))
    finds(plane, "Webhook", name, "failure", "has no caBundle")
    found = finds(plane, "Webhook", name, "failure", "there is no Service")
    assert "is frozen" in told(found, "Webhook", name, "failure", "there is no Service")[2], found
    t.host.create(k.SERVICES, plane.namespace, {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443}]}})
    finds(plane, "Webhook", name, "failure", "no pod is behind Service")

    def bundle(ca):
        hook["clientConfig"]["caBundle"] = ca
        t.host.patch(VALIDATING, None, name, {"webhooks": [hook]})
    bundle(authority.ca)
    finds(plane, "Webhook", name, "ok", "caBundle is valid until", advice=False)
    finds(plane, "Webhook", "serving certificate", "warning", "kubefed-admission-webhook-serving-cert\" does not exist")
    for names, text in ((f"DNS:hook.{plane.namespace}.svc", None), ("DNS:other", "hostname"),
                        ("IP:127.0.0.1", "hostname")):
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
            finds(plane, "Webhook", "serving certificate", "ok", "is valid until 2039-01-01T00:00:00Z", advice=False)
    bundle(Authority(os.path.join(t.env.folder, t.unique("authority"))).ca)
    finds(plane, "Webhook", "serving certificate", "failure", "the API server will not take the certificate")
    t.host.call("POST", f"/api/v1/namespaces/{plane.namespace}/endpoints", {
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "hook"},
        "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 443}]}]})
    assert not [f for f in doctor(plane)[1][("Webhook", name)] if "no pod" in f[1]], "a pod is behind the Service"


@test()
def types_that_do_not_work_are_told(t):
    plane, gadgets, _ = healthy(t)
    ftc = gadgets.ftc
    live = t.host.get(k.FTC, plane.namespace, ftc)
    t.host.patch(k.FTC, plane.namespace, ftc, {"spec": {"propagation": "Disabled"}})
    finds(plane, "Types", ftc, "warning", "propagation is disabled")
    plane.wait_running(ftc, state="NotRunning")     # so that this, and nothing older, is what its status says
    plane.controller.stop()
    t.host.patch(k.FTC, plane.namespace, ftc, {"spec": {"propagation": "Enabled"}})
    finds(plane, "Types", ftc, "failure", "is not running")
    twin = {"metadata": {"name": "twins.e2e.example.com"}, "spec": {**live["spec"], "targetType": {
        **live["spec"]["targetType"], "group": "e2e.example.com", "pluralName": "twins", "kind": "Twin"}}}
    t.host.create(k.FTC, plane.namespace, twin)
    t.cleanup(lambda: t.host.delete(k.FTC, plane.namespace, "twins.e2e.example.com", missing_ok=True))
    found = finds(plane, "Types", "twins.e2e.example.com", "failure", f'"{ftc}" is for {live["spec"]["federatedType"]["pluralName"]}.')
    told(found, "Types", "twins.e2e.example.com", "warning", "the host does not serve twins.e2e.example.com")
    eventually(lambda: finds(plane, "Members", "member1", "warning", "does not serve twins.e2e.example.com"))
    plane.start()


@test()
def credentials_that_are_missing_or_end_are_told(t):
    plane = t.plane("ward")
    server, ca = t.env.entry("member1")
    account = t.unique("doctor")
    fresh = requested(t, "member1", account)
    plane.add_cluster("good", server, fresh, ca)
    plane.add_cluster("ends", server, aged(t, "member1", fresh, 3300, 300), ca)
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
    found = finds(plane, "Clusters", "over", "failure", "its token expired")
    for name, text in (("over", "its token expired"), ("lost", "does not exist"), ("empty", "has no usable key")):
        advice = told(found, "Clusters", name, "failure", text)[2]
        assert f"kubefedctl join {name} --error-on-existing=false" in advice, advice
    finds(plane, "Clusters", "empty", "failure", 'has no usable key "token"')
    finds(plane, "Clusters", "lost", "failure", 'its Secret "lost-secret" does not exist')
    finds(plane, "Clusters", "bad", "failure", "it is invalid")
    finds(plane, "Members", "over", "failure", "cannot be reached as the controller manager does")
    # A member has ten seconds for its answer, which a busy machine may need.
    eventually(lambda: finds(plane, "Members", "good", "ok", "answers with", advice=False))
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

    def judged():
        found = finds(plane, "Members", "ahead", "warning", "its clock is")
        told(found, "Members", "short", "warning", "a certificate ends within 30 days")
        for name, text in (("refuses", "cannot be reached"), ("fails", "cannot be reached"),
                           ("distrusts", "unknown authority"), ("down", "cannot be reached")):
            assert any(f[0] == "failure" and text in f[1] for f in found[("Members", name)]), found
        expect([f[0] for f in found[("Members", "well")]], ["ok"], "a member that is well")
    eventually(judged)      # a member has ten seconds for its answer, which a busy machine may need
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
    eventually(lambda: expect(k.condition(plane.cluster("member2"), "Ready").get("status") != "True", True, "lost"), 90)
    t.host.delete(gadgets.fed, plane.namespace, "thing")
    eventually(lambda: expect(gadgets.clusters("thing"), {"member2": "ClusterNotReady"}, "clusters"), 90)
    host, authority = forger(t)
    host.clock = 3600
    path = kubeconfig_behind(t, host, authority)

    def stuck():        # member1, too, may be not ready for a moment
        result = doctor_behind(t, plane, path)
        expect(result.returncode, 255, "exit status")
        assert f"{plane.namespace}/thing (for " in result.stdout, result.stdout
        assert "ClusterNotReady: member2" in result.stdout, result.stdout
        assert "kubefed.io/orphan-unreachable-after" in result.stdout, result.stdout
        assert "s ahead of that of this machine" in result.stdout, result.stdout
        return result
    result = eventually(stuck)
    advised = re.search(r"kubectl (annotate .*=0s)", result.stdout)
    subprocess.run(["kubectl", "--kubeconfig", t.env.kubeconfig, "--context", "host", *shlex.split(advised[1])],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    eventually(lambda: expect(t.host.find(gadgets.fed, plane.namespace, "thing"), None, "what was stuck"), 90)


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
        assert "Run doctor with an account that may read it." in result.stdout, result.stdout
        assert token not in result.stdout, result.stdout
    eventually(told)


@test()
def definitions_of_an_older_release_are_told(t):
    plane = t.plane("ward")
    host, authority = forger(t)
    changes = {"kubefedclusters.core.kubefed.io": lambda c: schema_of(c)["spec"]["properties"].pop("proxyURL"),
               "kubefedconfigs.core.kubefed.io": lambda c: c["spec"]["versions"][0].update(served=False),
               "federatedtypeconfigs.core.kubefed.io": lambda c: c["status"].update(conditions=[])}

    def schema_of(definition):
        return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]

    def forge(path, answer):
        if path.startswith("/apis/apiextensions.k8s.io/") and answer.get("metadata", {}).get("name") in changes:
            changes[answer["metadata"]["name"]](answer)
        return answer
    host.forge = forge
    host.refuse = lambda method, path, query: 404 if path.endswith("/propagatedversions.core.kubefed.io") else None
    found = by_name(doctor_behind(t, plane, kubeconfig_behind(t, host, authority), "-o", "json"))
    for name, verdict, text, advice in (
            ("kubefedclusters", "warning", "what is written to spec.proxyURL vanishes", "kubectl apply -f deploy/crds"),
            ("kubefedconfigs", "failure", "version v1beta1 is not served", "kubectl apply -f deploy/crds"),
            ("federatedtypeconfigs", "failure", "is not established", "NamesAccepted"),
            ("propagatedversions", "failure", "does not exist", "kubectl apply -f deploy/crds"),
            ("clusterpropagatedversions", "ok", "v1alpha1 is served", None)):
        finding = told(found, "Host", name, verdict, text)
        assert advice is None or advice in finding[2], finding


@test()
def a_host_that_gives_no_answer_is_a_finding_for_scripts(t):
    def change(config):
        next(c["cluster"] for c in config["clusters"] if c["name"] == "host")["server"] = "https://127.0.0.1:1"
    path = kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)
    result = run_ctl(t.env, "doctor", "--host-cluster-context", "host", "-o", "json", kubeconfig=path)
    expect((result.returncode, json.loads(result.stdout)["summary"]),
           (255, {"checks": 1, "warnings": 0, "failures": 1, "unknown": 0}), "status and summary")
    told(by_name(result), "Host", "API server", "failure", "https://127.0.0.1:1")
    result = run_ctl(t.env, "doctor", "--host-cluster-context", "host", kubeconfig=path)
    assert (result.returncode, result.stdout) == (255, "") and "https://127.0.0.1:1" in result.stderr, result.stderr


@test()
def what_the_host_forbids_is_named_and_nothing_is_concluded_from_it(t):
    """Without the list of clusters no Secret may be called left over; without /version all the rest is examined."""
    plane = t.plane("ward")
    plane.add_member("member1")
    t.host.create(k.SECRETS, plane.namespace, {"metadata": {"name": "gone-abc12"}, "data": {"token": "eA=="}})
    host, authority = forger(t)
    path = kubeconfig_behind(t, host, authority)

    def forbidding(*endings):
        host.refuse = lambda method, path, query: 403 if path.endswith(endings) else None
        result = doctor_behind(t, plane, path, "-o", "json")
        return by_name(result)
    found = forbidding("/kubefedclusters")
    told(found, "Clusters", "KubeFedClusters", "unknown", "list \"kubefedclusters.core.kubefed.io\"")
    expect([f[0] for f in found[("Leftovers", "Secrets")]], ["unknown"], "Secrets, when the clusters are not known")
    found = forbidding(f"/{plane.namespace}/secrets")
    told(found, "Leftovers", "Secrets", "unknown", "list \"secrets\"")
    found = forbidding("/federatedtypeconfigs")
    told(found, "Types", "FederatedTypeConfigs", "unknown", "list")
    told(found, "Leftovers", "deletions", "unknown", "which types there are is not known")

    def all_the_rest():
        found = forbidding("/version")
        told(found, "Host", "API server", "unknown", "get")
        told(found, "Members", "member1", "ok", "answers with")
        told(found, "Leftovers", "Secrets", "warning", "gone-abc12")
    eventually(all_the_rest)
    told(forbidding(), "Leftovers", "Secrets", "warning", "gone-abc12")


@test()
def the_secret_of_an_invalid_cluster_is_not_left_over(t):
    plane = t.plane("ward")
    t.host.create(k.SECRETS, plane.namespace, {"metadata": {"name": "bad-abc12"}, "data": {"token": "eA=="}})
    t.host.create(k.KFC, plane.namespace, {"metadata": {"name": "bad"}, "spec": {
        "apiEndpoint": "ftp://x", "secretRef": {"name": "bad-abc12"}}})
    found = finds(plane, "Clusters", "bad", "failure", "it is invalid")
    advice = told(found, "Clusters", "bad", "failure", "it is invalid")[2]
    assert f"kubectl edit kubefedcluster bad -n {plane.namespace}" in advice, advice
    assert ("Leftovers", "Secrets") not in found, found


@test()
def a_cluster_that_nobody_looks_at_is_told(t):
    plane = t.plane("ward")
    for name in ("fresh", "stale", "lost"):
        plane.add_member("member1", name)
    now = datetime.datetime.now(datetime.timezone.utc)

    def report(name, **condition):
        t.host.patch(k.KFC, plane.namespace, name, {"status": {"conditions": [{
            "type": "Ready", "reason": "ClusterReady", "message": "/healthz said ok", **condition}]}}, "status")

    def ago(seconds):
        return (now - datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    report("fresh", status="True", lastProbeTime=ago(200), lastTransitionTime=ago(4000))
    report("stale", status="True", lastProbeTime=ago(400), lastTransitionTime=ago(4000))
    report("lost", status="False", lastProbeTime=ago(400), lastTransitionTime=ago(3965))    # 66 minutes for 55 s
    found = finds(plane, "Clusters", "stale", "failure", "nobody has looked at it for")
    told(found, "Clusters", "fresh", "ok", "ready for")
    told(found, "Clusters", "lost", "failure", "not ready for 66m: ClusterReady")
    told(found, "Clusters", "lost", "failure", "nobody has looked at it for")
    # Whoever looks every ten minutes only is not late after six.
    plane.write_config({"clusterHealthCheck": {"period": "10m"}})
    told(doctor(plane)[1], "Clusters", "stale", "ok", "ready for")


@test()
def members_that_hang_cost_ten_seconds_together(t):
    plane = t.plane("ward")
    server = t.env.entry("member1")[0].split("//")[1].rsplit(":", 1)
    for name in ("hang1", "hang2", "hang3"):
        proxy = Proxy(server[0], int(server[1]))
        t.cleanup(proxy.close)
        proxy.hang()
        plane.add_member("member1", name, port=proxy.port)
    plane.add_member("member2")

    def together():
        began = time.monotonic()
        found = doctor(plane)[1]
        took = time.monotonic() - began
        # One after the other they would take thirty. Reading the host takes some seconds on a busy machine.
        assert took < 10 + 15 * slowness(), f"{took:.1f} s"
        for name in ("hang1", "hang2", "hang3"):
            told(found, "Members", name, "failure", "cannot be reached as the controller manager does")
        told(found, "Members", "member2", "ok", "answers with")
    t.once_of(3, together)


@test(smoke=True)
def ctrl_c_ends_the_wait_for_members(t):
    plane = t.plane("ward")
    server = t.env.entry("member1")[0].split("//")[1].rsplit(":", 1)
    proxy = Proxy(server[0], int(server[1]))
    t.cleanup(proxy.close)
    proxy.hang()
    plane.add_member("member1", port=proxy.port)
    command = [os.path.join(t.env.bin, "kubefedctl"), "doctor", "--kubeconfig", t.env.kubeconfig,
               "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    t.cleanup(process.kill)
    eventually(lambda: expect(proxy.connections > 0, True, "a connection to the member"))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    expect((process.returncode, out), (130, ""), f"status and stdout; stderr: {err}")
    assert time.monotonic() - began < 8, "it waited for the member, which has ten seconds"


@test()
def members_with_old_versions_or_unusable_tokens_are_told(t):
    plane = t.plane("ward")
    servers = {"old": "v1.15.3", "new": "v1.99.0", "odd": "latest", "escapes": "\x1b]0;x\x07\x1b[2Jv1"}
    for name, version in servers.items():
        server = PretendedMember()
        t.cleanup(server.close)
        server.version = version
        plane.add_cluster(name, server.endpoint, "x", None)
    plane.add_cluster("broken", "https://127.0.0.1:1", "two\nlines", None)
    found = finds(plane, "Members", "old", "warning", "answers with v1.15.3, which is older than 1.16")
    told(found, "Members", "new", "warning", "answers with v1.99.0; the host has v1.")
    told(found, "Members", "odd", "warning", "does not say its version")
    told(found, "Members", "escapes", "warning", "does not say its version")
    told(found, "Members", "broken", "failure", "no connection can be made of what is registered")
    text = plane.run_ctl("doctor").stdout
    assert "\x1b" not in text and "\x07" not in text and "two" not in text, repr(text)


GARBAGE = (None, True, -1, 2**63, 1e300, "", "x", "\x1b[2J\x1b]0;title\x07", "\u202e\u0000", "é" * 3000,
           [], [[]], {}, {"a": {}})


def spoilt(value, dice):
    """Some of the values of a document replaced by others of any type."""
    if dice.random() < 0.08:
        return dice.choice(GARBAGE)
    if isinstance(value, dict):
        return {key: spoilt(v, dice) for key, v in value.items()}
    return [spoilt(v, dice) for v in value] if isinstance(value, list) else value


@test(smoke=True)
def garbage_from_the_host_is_harmless(t):
    """Answers with values of wrong types in random places, and some that are no JSON at all: a report comes, or an
    error that says what was wrong, and no server speaks to the terminal."""
    plane, gadgets, _ = healthy(t)
    host, authority = forger(t)
    path = kubeconfig_behind(t, host, authority)
    finished = 0
    for seed in range(25):
        dice = random.Random(seed)

        def forge(url, answer):
            if dice.random() < 0.05:
                return dice.choice((b"", b"{", b"[" * 100000, b"null", b"[]", b"\xff\xfe", b'{"items": 5}'))
            # With nothing in /version there is nothing to examine.
            return answer if url == "/version" and seed % 5 else spoilt(answer, dice)
        host.forge = forge
        result = doctor_behind(t, plane, path, *(("-o", "json") if seed % 2 else ()))
        assert result.returncode in (0, 255), f"seed {seed}: {result.returncode} {result.stderr}"
        said = result.stdout + result.stderr
        assert "\x1b" not in said and "\x07" not in said, f"seed {seed}: {said!r}"
        if seed % 2 and result.stdout:
            assert json.loads(result.stdout)["checks"], f"seed {seed}"
        finished += "checks" in result.stdout
    assert finished >= 15, f"only {finished} of 25 runs came to a report"
    host.forge = Forger.forge
    told(by_name(doctor_behind(t, plane, path, "-o", "json")), "Host", "KubeFedConfig", "ok", "scope Namespaced")


@test()
def types_and_namespaces_that_do_not_go_away_are_told(t):
    plane = t.plane("ward", "Cluster")
    host, authority = forger(t)
    host.clock = 3600
    # Only the first five are told, by name; by this clock all that tests are just deleting is late.
    name = t.unique("0-leaving")
    t.host.create(k.NAMESPACES, None, {"metadata": {"name": name}})
    t.host.create(k.CONFIGMAPS, name, {"metadata": {"name": "stays", "finalizers": ["example.com/stays"]}})
    t.cleanup(lambda: t.host.patch(k.CONFIGMAPS, name, "stays", {"metadata": {"finalizers": None}}))
    t.host.delete(k.NAMESPACES, None, name)
    plane.add_type("example.com/v1/leavings")
    release = {"metadata": {"finalizers": None}}
    t.host.patch(k.FTC, plane.namespace, "leavings.example.com", {"metadata": {"finalizers": ["example.com/stays"]}})
    t.host.delete(k.FTC, plane.namespace, "leavings.example.com")
    t.cleanup(lambda: t.host.patch(k.FTC, plane.namespace, "leavings.example.com", release))
    path = kubeconfig_behind(t, host, authority)

    def seen():
        found = by_name(doctor_behind(t, plane, path, "-o", "json"))
        namespaces = told(found, "Leftovers", "Namespace", "failure", f"{name} (for ")
        assert "example.com/stays in 1 resource instances" in namespaces[1], namespaces
        types = told(found, "Leftovers", "FederatedTypeConfig", "failure",
                     f"{plane.namespace}/leavings.example.com (for ")
        assert "is the controller manager running?" in types[2], types
        told(found, "Types", "leavings.example.com", "warning", "it is being deleted")
    eventually(seen)


@test()
def namespaced_types_want_the_type_namespaces_in_both_scopes(t):
    """What doctor says is what the controller manager does."""
    plane = t.plane("ward")
    enable_shared(plane, "configmaps")
    found = finds(plane, "Types", "namespaces", "failure", "is not enabled")
    expect(told(found, "Types", "namespaces", "failure", "is not enabled")[2], "kubefedctl enable namespaces", "advice")
    with plane.running():
        eventually(lambda: expect(t.host.get(k.FTC, plane.namespace, "configmaps")["status"]["propagationController"],
                                  "NotRunning", "state without the type namespaces"))
        enable_shared(plane, "namespaces")
        plane.wait_running("configmaps")
        assert ("Types", "namespaces") in doctor(plane)[1]
        assert "is not enabled" not in plane.run_ctl("doctor").stdout


@test()
def of_two_types_for_one_target_the_one_that_waits_is_told(t):
    plane = t.plane("ward")
    enable_shared(plane, "namespaces", "configmaps")
    other = t.host.get(k.FTC, plane.namespace, "configmaps")
    t.host.create(k.FTC, plane.namespace, {"metadata": {"name": "ours"}, "spec": {
        **other["spec"], "federatedType": {**other["spec"]["federatedType"], "kind": "FederatedOurs", "pluralName": "federatedours"}}})
    with plane.running():
        plane.wait_running("configmaps")
        eventually(lambda: expect(t.host.get(k.FTC, plane.namespace, "ours")["status"]["propagationController"], "NotRunning",
                                  "state of the one that waits"))
        found = finds(plane, "Types", "ours", "failure", '"configmaps" is for configmaps, too, and goes first')
        told(found, "Types", "configmaps", "ok", "is propagated")
        t.host.patch(k.FTC, plane.namespace, "ours", {"spec": {"propagation": "Disabled"}})
        assert "goes first" not in plane.run_ctl("doctor").stdout


@test()
def the_right_to_renew_tokens_is_wanted_when_they_expire(t):
    plane = t.plane("ward")
    server, ca = t.env.entry("member1")
    name = t.unique("rights")
    t.host.create(k.SERVICEACCOUNTS, plane.namespace, {"metadata": {"name": "kubefed-controller"}})
    t.host.create(k.CLUSTERROLES, None, {"metadata": {"name": name}, "rules": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create", "update"]},
        {"apiGroups": ["core.kubefed.io", "types.kubefed.io"], "resources": ["*"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["configmaps", "events"], "verbs": ["patch"]}]})
    t.cleanup(lambda: t.host.delete(k.CLUSTERROLES, None, name))
    t.host.create(k.CLUSTERROLEBINDINGS, None, {
        "metadata": {"name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "kubefed-controller", "namespace": plane.namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}})
    t.cleanup(lambda: t.host.delete(k.CLUSTERROLEBINDINGS, None, name))
    eventually(lambda: finds(plane, "Controller manager", "rights", "ok", "may do what it must", advice=False))
    plane.add_cluster("expires", server, requested(t, "member1", t.unique("doctor")), ca)
    found = finds(plane, "Controller manager", "rights", "failure", "may not: patch secrets")
    expect(told(found, "Controller manager", "rights", "failure", "may not")[1],
           "ServiceAccount kubefed-controller may not: patch secrets", "what lacks")
    text = plane.run_ctl("doctor").stdout
    expect(len(re.findall(r"^Controller manager$", text, re.M)), 1, "headings of the same subject")


@test()
def only_questions_are_sent(t):
    """To the host and to members: GET, and reviews of rights."""
    plane = t.plane("ward")
    t.host.create(k.SERVICEACCOUNTS, plane.namespace, {"metadata": {"name": "kubefed-controller"}})
    enable_shared(plane, "configmaps")
    host, authority = forger(t)
    member = Gateway(t.env.apis["member1"], t.env.entry("member1")[1], authority.certificate("member"))
    t.cleanup(member.close)
    plane.add_cluster("member1", member.endpoint, t.env.admin_token("member1"), authority.ca)
    path = kubeconfig_behind(t, host, authority)
    eventually(lambda: told(by_name(doctor_behind(t, plane, path, "-o", "json")), "Members", "member1", "ok",
                            "answers with"))
    for gateway in (host, member):
        assert len(gateway.requests) > 3, gateway.requests
        written = {r[:2] for r in gateway.requests if r[0] != "GET"}
        assert written <= {("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews"),
                           ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")}, written


@test(alone=True)
def the_api_servers_count_no_write(t):
    plane = t.plane("ward", "Cluster")
    t.host.create(k.SERVICEACCOUNTS, plane.namespace, {"metadata": {"name": "kubefed-controller"}})
    plane.add_member("member1")
    plane.add_member("member2")
    plane.ctl("enable", "configmaps")
    apis = [t.host, t.member1, t.member2]
    settle(apis)

    def writes_nothing():
        before = [write_counts(a) for a in apis]
        told(doctor(plane)[1], "Members", "member2", "ok", "answers with")
        expect([writes_between(b, write_counts(a)) for a, b in zip(apis, before)], [{}, {}, {}], "writes of doctor")
    eventually(writes_nothing)      # Kubernetes tries now and then to empty a namespace that an earlier test left


@test()
def nothing_is_written(t):
    plane, gadgets, _ = healthy(t)
    plane.controller.stop()
    # What Kubernetes makes in every namespace.
    eventually(lambda: t.host.get(k.CONFIGMAPS, plane.namespace, "kube-root-ca.crt"))
    eventually(lambda: t.host.get(k.SERVICEACCOUNTS, plane.namespace, "default")["secrets"])

    def versions():
        return {f"{r} {o['metadata']['name']}": o["metadata"]["resourceVersion"] for r in (
            k.KFC, k.KFCONFIG, k.FTC, k.SECRETS, k.CONFIGMAPS, k.PV, gadgets.fed)
                for o in t.host.list(r, plane.namespace)}
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
