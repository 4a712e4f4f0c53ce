"""join looks before it leaps: it tries what the control plane will do, and says how to mend what cannot work."""
import base64
import json
import os

from cli_cases import closed_port
from harness import eventually, expect, k, kubeconfig_with, run_ctl, test
from proxies import Authority, Gateway
from test_join import join, must, must_fail, names, nothing_on_host, token_works, unjoin

CONTROLLER = {"metadata": {"name": "kubefed-controller-manager"}, "spec": {
    "replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}


def nothing_in_member(t, plane, cluster="member1", member="member1"):
    account, role, _ = names(plane, cluster)
    expect(t.members[member].find(k.SERVICEACCOUNTS, plane.namespace, account), None, "ServiceAccount")
    expect(t.members[member].find(k.CLUSTERROLES, None, role), None, "ClusterRole")
    expect(t.members[member].find(k.CLUSTERROLEBINDINGS, None, role), None, "ClusterRoleBinding")


def gateway(t, names_of_certificate="IP:127.0.0.1", member="member1"):
    authority = Authority(os.path.join(t.env.folder, t.unique("authority")))
    server = Gateway(t.env.apis[member], t.env.entry(member)[1], authority.certificate("server", names_of_certificate))
    t.cleanup(server.close)
    return authority, server


def ca_file(t, ca):
    path = os.path.join(t.env.folder, t.unique("ca") + ".pem")
    with open(path, "wb") as f:
        f.write(base64.b64decode(ca))
    return path


@test()
def a_loopback_endpoint_is_refused_when_the_controller_runs_in_a_pod(t):
    plane = t.plane("look", "Cluster")
    t.host.create(k.DEPLOYMENTS, plane.namespace, CONTROLLER)
    failed = must_fail(join(plane), "is on loopback", "--cluster-endpoint https://", "--skip-preflight", "Nothing was changed")
    expect(failed.stdout, "", "stdout")
    nothing_in_member(t, plane), nothing_on_host(t, plane)
    t.host.patch(k.DEPLOYMENTS, plane.namespace, "kubefed-controller-manager",
                 {"spec": {"template": {"spec": {"hostNetwork": True}}}})
    must(join(plane))
    token_works(t, plane, "member1", "member1")
    must(unjoin(plane))


@test()
def scripts_that_mend_the_endpoint_afterwards_skip_the_look(t):
    """KubeFed's own script for kind joins with loopback endpoints and patches them later."""
    plane = t.plane("look", "Cluster")
    t.host.create(k.DEPLOYMENTS, plane.namespace, CONTROLLER)
    must(join(plane, "member1", "--skip-preflight"))
    must(unjoin(plane))
    t.gone(t.member1, k.NAMESPACES, None, plane.namespace, timeout=180)     # join itself waits half a minute for that
    result = run_ctl(t.env, "join", "member1", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace,
                     "--host-cluster-name", plane.namespace, environment={"KUBEFEDCTL_SKIP_PREFLIGHT": "true"})
    must(result)
    token_works(t, plane, "member1", "member1")


@test()
def a_certificate_for_another_name_is_refused_and_the_check_of_names_can_be_given_up(t):
    """With tls-server-name the kubeconfig works here; a KubeFedCluster has no place for it (A-06)."""
    plane = t.plane("look", "Cluster")
    authority, server = gateway(t, "DNS:member.example")

    def change(config):
        entry = next(c["cluster"] for c in config["clusters"] if c["name"] == "member1")
        entry.clear()
        entry.update({"server": server.endpoint, "tls-server-name": "member.example", "certificate-authority-data": authority.ca})
        user = next(u["user"] for u in config["users"] if u["name"] == "member1")
        user.clear()
        user["token"] = t.env.admin_token("member1")
    path = kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)
    arguments = ["join", "member1", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace,
                 "--host-cluster-name", plane.namespace]
    must_fail(run_ctl(t.env, *arguments, kubeconfig=path), "valid for member.example", "tls-server-name",
              "--cluster-disabled-tls-validations SubjectName", "nothing was changed")
    nothing_in_member(t, plane), nothing_on_host(t, plane)
    must(run_ctl(t.env, *arguments, "--cluster-disabled-tls-validations", "SubjectName", kubeconfig=path))
    spec = plane.cluster("member1")["spec"]
    expect((spec["disabledTLSValidations"], spec["apiEndpoint"], spec["caBundle"]),
           (["SubjectName"], server.endpoint, authority.ca), "spec")


@test()
def an_authority_for_the_control_plane_can_be_given(t):
    plane = t.plane("look", "Cluster")
    authority, server = gateway(t)
    other = Authority(os.path.join(t.env.folder, t.unique("authority")))
    endpoint = ["--cluster-endpoint", server.endpoint]
    must_fail(join(plane, "member1", *endpoint), "unknown authority", "--cluster-certificate-authority", "nothing was changed")
    must_fail(join(plane, "member1", *endpoint, "--cluster-certificate-authority", ca_file(t, other.ca)), "unknown authority")
    must_fail(join(plane, "member1", "--cluster-certificate-authority", "/nowhere"), "--cluster-certificate-authority /nowhere")
    nothing_in_member(t, plane), nothing_on_host(t, plane)
    must(join(plane, "member1", *endpoint, "--cluster-certificate-authority", ca_file(t, authority.ca)))
    spec = plane.cluster("member1")["spec"]
    expect((spec["apiEndpoint"], spec["caBundle"]), (server.endpoint, authority.ca), "endpoint and authority")
    token_works(t, plane, "member1", "member1")


@test()
def an_endpoint_of_another_network_is_stored_with_a_warning(t):
    plane = t.plane("look", "Cluster")
    endpoint = f"https://127.0.0.1:{closed_port(t)}"
    result = must(join(plane, "member1", "--cluster-endpoint", endpoint))
    assert "Warning" in result.stderr and endpoint in result.stderr and "not checked" in result.stderr, result.stderr
    expect(plane.cluster("member1")["spec"]["apiEndpoint"], endpoint, "apiEndpoint")


@test()
def bad_values_of_the_cluster_flags_are_named(t):
    plane = t.plane("look", "Cluster")
    for flag, value, text in (("--cluster-endpoint", "ftp://x", "--cluster-endpoint"), ("--cluster-endpoint", "x:y:z", "--cluster-endpoint"),
                              ("--cluster-proxy-url", "ftp://x", "proxy URL scheme must be one of"),
                              ("--cluster-disabled-tls-validations", "Everything", '"Everything" is no check'),
                              ("--cluster-disabled-tls-validations", "*,SubjectName", "stands for all of them"),
                              ("--cluster-token", "magic", "it must be auto, secret or request")):
        must_fail(join(plane, "member1", flag, value), text)
    nothing_in_member(t, plane), nothing_on_host(t, plane)


@test()
def a_token_that_has_no_rights_is_noticed_and_everything_is_taken_back(t):
    plane = t.plane("look", "Cluster")
    authority, server = gateway(t)
    server.refuse = lambda method, path, query: 403 if path.endswith("selfsubjectaccessreviews") else None
    failed = must_fail(join(plane, "member1", "--cluster-endpoint", server.endpoint, "--cluster-certificate-authority",
                            ca_file(t, authority.ca)), "taken back", "removed again from the joining cluster")
    assert "--error-on-existing=false" not in failed.stderr, failed.stderr
    nothing_in_member(t, plane), nothing_on_host(t, plane)
    server.refuse = lambda *_: None
    # It waits half a minute until the namespace that was taken back is gone, which may take longer.
    eventually(lambda: must(join(plane, "member1", "--cluster-endpoint", server.endpoint, "--cluster-certificate-authority",
                                 ca_file(t, authority.ca), "--error-on-existing=false")), 180)
    token_works(t, plane, "member1", "member1")


@test()
def clocks_that_differ_are_told(t):
    plane = t.plane("look", "Cluster")
    authority, server = gateway(t)
    server.clock = 3600

    def change(config):
        entry = next(c["cluster"] for c in config["clusters"] if c["name"] == "member1")
        entry.clear()
        entry.update({"server": server.endpoint, "certificate-authority-data": authority.ca})
        user = next(u["user"] for u in config["users"] if u["name"] == "member1")
        user.clear()
        user["token"] = t.env.admin_token("member1")
    path = kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)
    result = must(run_ctl(t.env, "join", "member1", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace,
                          "--host-cluster-name", plane.namespace, "--dry-run", kubeconfig=path))
    assert 'the clock of cluster "member1" is' in result.stderr and "ahead of that of the host" in result.stderr, result.stderr
    nothing_in_member(t, plane)


@test()
def a_certificate_that_the_hosts_clock_finds_expired_is_refused(t):
    """It is valid here and now; the controller manager, which lives by the host's clock, would refuse it."""
    plane = t.plane("look", "Cluster")
    authority = Authority(os.path.join(t.env.folder, t.unique("authority")))
    member = Gateway(t.env.apis["member1"], t.env.entry("member1")[1],
                     authority.certificate("server", end="20380101000000Z"))
    host = Gateway(t.env.apis["host"], t.env.entry("host")[1], authority.certificate("host"))
    t.cleanup(member.close), t.cleanup(host.close)
    host.clock = 12 * 366 * 24 * 3600

    def change(config):
        for name, server in (("member1", member), ("host", host)):
            entry = next(c["cluster"] for c in config["clusters"] if c["name"] == name)
            entry.clear()
            entry.update({"server": server.endpoint, "certificate-authority-data": authority.ca})
            user = next(u["user"] for u in config["users"] if u["name"] == name)
            user.clear()
            user["token"] = t.env.admin_token(name)
    path = kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)
    must_fail(run_ctl(t.env, "join", "member1", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace,
                      "--host-cluster-name", plane.namespace, kubeconfig=path),
              "has expired", "clock", "nothing was changed")
    nothing_in_member(t, plane), nothing_on_host(t, plane)


@test()
def a_dry_run_looks_as_well(t):
    plane = t.plane("look", "Cluster")
    _, server = gateway(t)
    must_fail(join(plane, "member1", "--dry-run", "--cluster-endpoint", server.endpoint), "unknown authority")
    result = must(join(plane, "member1", "--dry-run"))
    assert "kubefedclusters.core.kubefed.io/member1 created" in result.stdout, result.stdout
    nothing_in_member(t, plane), nothing_on_host(t, plane)


@test()
def a_token_can_be_requested_that_expires(t):
    plane = t.plane("look", "Cluster")
    result = must(join(plane, "member1", "--cluster-token", "request"))
    assert "is valid until" in result.stderr and "renews it" in result.stderr, result.stderr
    secret = t.host.get(k.SECRETS, plane.namespace, plane.cluster("member1")["spec"]["secretRef"]["name"])
    token = base64.b64decode(secret["data"]["token"]).decode()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["exp"] > claims["iat"], claims
    token_works(t, plane, "member1", "member1")


@test()
def a_member_that_fills_no_token_secret_is_told_when_one_was_wanted(t):
    plane = t.plane("look", "Cluster")
    must_fail(plane.run_ctl("join", "member3", "--host-cluster-name", plane.namespace, "--cluster-token", "secret"),
              "no token Secret", "--cluster-token request", "Done before that")
    nothing_on_host(t, plane)


@test()
def join_can_wait_until_the_cluster_is_ready(t):
    plane = t.plane("look", "Namespaced")
    must_fail(join(plane, "member1", "--wait", "1s"), "is registered, but not ready yet", "controller manager")
    plane.start()
    must(join(plane, "member2", "--wait", "3m", timeout=240))
    expect(k.condition(plane.cluster("member2"), "Ready").get("status"), "True", "Ready of member2")
