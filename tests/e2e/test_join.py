"""join and unjoin: what they create and remove, and how they fail (api-and-cli.md 2.5, 3.2, 3.3)."""
import base64
import os
import socket
import threading
import time

from cli_cases import closed_port
from harness import eventually, expect, k, kubeconfig_with, other_authority, run_ctl, test


def names(plane, cluster):
    """Names of 2.5 for this cluster when the host is called like the plane."""
    account = f"{cluster}-{plane.namespace}"
    return account, f"kubefed-controller-manager:{account}", \
        f"kubefed-controller-manager:{plane.namespace}:healthcheck-{account}"


def join(plane, cluster="member1", *arguments, context=None, timeout=120):
    return plane.run_ctl("join", cluster, "--cluster-context", context or cluster, "--host-cluster-name",
                         plane.namespace, *arguments, timeout=timeout)


def unjoin(plane, cluster="member1", *arguments, context=None):
    return plane.run_ctl("unjoin", cluster, "--cluster-context", context or cluster, "--host-cluster-name",
                         plane.namespace, *arguments)


def must(result):
    assert result.returncode == 0, f"exit status {result.returncode}\n{result.stdout}{result.stderr}"
    return result


def must_fail(result, *texts):
    expect(result.returncode, 255, f"exit status ({result.stderr.strip()})")
    assert "Error: " in result.stderr, result.stderr
    for text in texts:
        assert text in result.stderr, f"{text!r} is not in: {result.stderr}"
    return result


def nothing_on_host(t, plane):
    expect(t.host.list(k.KFC, plane.namespace), [], "KubeFedClusters")
    secrets = [s["metadata"]["name"] for s in t.host.list(k.SECRETS, plane.namespace) if s["type"] == "Opaque"]
    expect(secrets, [], "Secrets on the host")


def token_works(t, plane, cluster, member):
    """The stored token opens the member."""
    spec = plane.cluster(cluster)["spec"]
    secret = t.host.get(k.SECRETS, plane.namespace, spec["secretRef"]["name"])
    token = base64.b64decode(secret["data"]["token"]).decode()
    t.env.secrets.add(token)
    api = t.env.apis[member]
    probe = k.Cluster("token", api.server, api.tls, {"Authorization": f"Bearer {token}"}, {})
    account = names(plane, cluster)[0]

    def accepted():
        # The lab's TLS context may carry a client certificate, which would win: a user without it is what counts.
        answer = probe.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}})
        assert answer["status"].get("authenticated"), f"the member does not accept the token: {answer['status']}"
        expect(answer["status"]["user"]["username"], f"system:serviceaccount:{plane.namespace}:{account}",
               "user of the token")
    eventually(accepted)        # token and rights of a moment ago may take the API server some time
    return secret


def join_with_lasting_token(t, most=5):
    """(plane, result) of a join. Where Kubernetes makes no token Secret in seven seconds, as on a busy machine, join takes a
    token that expires and says so: then it is tried again in another control plane."""
    for _ in range(most):
        plane = t.plane("join", "Cluster")
        result = must(join(plane))
        if "is valid until" not in result.stderr:
            break
    return plane, result


@test(smoke=True)
def join_creates_exactly_the_documented_objects(t):
    plane, result = join_with_lasting_token(t)
    expect(result.stdout, "", "stdout: a join is silent")
    expect(result.stderr, "", "stderr: a join is silent")
    account, role, health = names(plane, "member1")
    ns = plane.namespace
    for obj in (t.member1.get(k.NAMESPACES, None, ns), t.member1.get(k.SERVICEACCOUNTS, ns, account)):
        labels = {key: v for key, v in (obj["metadata"].get("labels") or {}).items() if key != "kubernetes.io/metadata.name"}
        expect(labels, {}, f"labels of {obj['metadata']['name']}")
    expect(t.member1.get(k.CLUSTERROLES, None, role)["rules"],
           [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["get"]}],
           "rules of the ClusterRole")
    binding = t.member1.get(k.CLUSTERROLEBINDINGS, None, role)
    expect(binding["roleRef"], {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}, "roleRef")
    expect([(s["kind"], s["namespace"], s["name"]) for s in binding["subjects"]], [("ServiceAccount", ns, account)],
           "subjects")
    for resource in (k.ROLES, k.ROLEBINDINGS):
        expect(t.member1.find(resource, ns, role), None, f"{resource} in cluster scope")
    expect(t.member1.find(k.CLUSTERROLES, None, health), None, "health ClusterRole in cluster scope")
    spec = plane.cluster("member1")["spec"]
    server, ca = t.env.entry("member1")
    expect(spec["apiEndpoint"], server, "apiEndpoint")
    expect(base64.b64decode(spec["caBundle"]).strip(), base64.b64decode(ca).strip(), "caBundle")
    expect(spec.get("proxyURL"), "", "proxyURL")
    assert spec["secretRef"]["name"].startswith("member1-"), spec["secretRef"]
    secret = token_works(t, plane, "member1", "member1")
    expect(list(secret["data"]), ["token"], "keys of the Secret")
    expect(secret["type"], "Opaque", "type of the Secret")


@test()
def join_in_a_namespaced_control_plane_creates_roles(t):
    plane = t.plane("join", "Namespaced")
    must(join(plane))
    account, role, health = names(plane, "member1")
    expect(t.member1.get(k.ROLES, plane.namespace, role)["rules"],
           [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}], "rules of the Role")
    binding = t.member1.get(k.ROLEBINDINGS, plane.namespace, role)
    expect(binding["roleRef"]["kind"], "Role", "kind of the roleRef")
    expect([s["name"] for s in binding["subjects"]], [account], "subjects")
    rules = t.member1.get(k.CLUSTERROLES, None, health)["rules"]
    assert any(r.get("nonResourceURLs") == ["/healthz"] and "get" in [v.lower() for v in r["verbs"]] for r in rules), rules
    assert any(r.get("resources") == ["nodes"] and r["verbs"] == ["list"] for r in rules), rules
    t.member1.get(k.CLUSTERROLEBINDINGS, None, health)
    expect(t.member1.find(k.CLUSTERROLES, None, role), None, "ClusterRole with all rights")
    must(unjoin(plane))
    for resource, namespace, name in ((k.CLUSTERROLES, None, health), (k.CLUSTERROLEBINDINGS, None, health)):
        expect(t.member1.find(resource, namespace, name), None, name)


@test()
def a_joined_cluster_becomes_ready(t):
    plane = t.plane("join", "Cluster", start=True)
    must(join(plane))
    plane.wait_ready("member1")
    eventually(lambda: expect(plane.cluster("member1")["status"]["kubernetesVersion"][:3], "v1.", "kubernetesVersion"))


@test(smoke=True)
def a_member_without_token_secrets_joins(t):
    """As every Kubernetes since 1.24: no controller makes token Secrets for service accounts."""
    plane = t.plane("join", "Cluster", start=True)
    must(join(plane, "member3"))
    token_works(t, plane, "member3", "member3")
    plane.wait_ready("member3")
    must(unjoin(plane, "member3"))


@test()
def a_second_join_fails_and_changes_nothing(t):
    plane = t.plane("join", "Cluster")
    must(join(plane))
    before = plane.cluster("member1")["metadata"]["resourceVersion"]
    must_fail(join(plane), f"service account: {names(plane, 'member1')[0]} already exists in joining cluster: member1")
    expect(plane.cluster("member1")["metadata"]["resourceVersion"], before, "version of the KubeFedCluster")


@test()
def error_on_existing_false_repeats_a_join(t):
    plane = t.plane("join", "Cluster")
    must(join(plane))
    t.host.patch(k.KFC, plane.namespace, "member1", {"metadata": {"labels": {"tier": "edge"}},
                                                     "spec": {"apiEndpoint": "https://127.0.0.1:1"}})
    must(join(plane, "member1", "--error-on-existing=false"))
    cluster = plane.cluster("member1")
    expect(cluster["spec"]["apiEndpoint"], t.env.entry("member1")[0], "apiEndpoint")
    expect(cluster["metadata"]["labels"], {"tier": "edge"}, "labels")
    secrets = [s["metadata"]["name"] for s in t.host.list(k.SECRETS, plane.namespace) if s["type"] == "Opaque"]
    expect(secrets, [cluster["spec"]["secretRef"]["name"]], "Secrets: none is left over")


@test()
def a_half_done_join_can_be_continued(t):
    plane = t.plane("join", "Cluster")
    account = names(plane, "member1")[0]
    t.member1.create(k.NAMESPACES, None, {"metadata": {"name": plane.namespace}})
    t.member1.create(k.SERVICEACCOUNTS, plane.namespace, {"metadata": {"name": account}})
    must_fail(join(plane), "already exists")
    must(join(plane, "member1", "--error-on-existing=false"))
    token_works(t, plane, "member1", "member1")


@test()
def the_secret_can_be_named(t):
    plane = t.plane("join", "Cluster")
    must(join(plane, "member1", "--secret-name", "my-secret"))
    expect(plane.cluster("member1")["spec"]["secretRef"]["name"], "my-secret", "secretRef")
    token_works(t, plane, "member1", "member1")


@test()
def a_wrong_ca_is_reported_before_anything_is_created(t):
    plane = t.plane("join", "Cluster")

    def change(config):
        for c in config["clusters"]:
            if "member1" in c["name"]:
                c["cluster"].pop("certificate-authority", None)
                c["cluster"]["certificate-authority-data"] = other_authority(t.env.folder)
    path = kubeconfig_with(t.env, t.env.folder, t.unique("ca") + ".json", change)
    result = run_ctl(t.env, "join", "member1", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace,
                     "--host-cluster-name", plane.namespace, kubeconfig=path)
    must_fail(result, "member1", "certificate")
    nothing_on_host(t, plane)
    expect(t.member1.find(k.NAMESPACES, None, plane.namespace), None, "namespace in the member")


def config_with_server(t, server):
    def change(config):
        for c in config["clusters"]:
            if "member1" in c["name"]:
                c["cluster"]["server"] = server
    return kubeconfig_with(t.env, t.env.folder, t.unique("server") + ".json", change)


@test()
def an_unreachable_member_is_named(t):
    plane = t.plane("join", "Cluster")
    port = closed_port(t)
    result = run_ctl(t.env, "join", "member1", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace,
                     "--host-cluster-name", plane.namespace, kubeconfig=config_with_server(t, f"https://127.0.0.1:{port}"))
    must_fail(result, "member1", str(port))
    nothing_on_host(t, plane)


@test()
def a_hanging_member_does_not_hang_join(t):
    """The default deadline of a request is 30 s."""
    plane = t.plane("join", "Cluster")
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(8)
    t.cleanup(silent.close)
    began = time.monotonic()
    result = run_ctl(t.env, "join", "member1", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace,
                     "--host-cluster-name", plane.namespace, timeout=100,
                     kubeconfig=config_with_server(t, f"https://127.0.0.1:{silent.getsockname()[1]}"))
    must_fail(result, "member1")
    assert time.monotonic() - began < 75, f"it took {time.monotonic() - began:.0f} s"
    nothing_on_host(t, plane)


@test()
def an_unknown_member_context_is_named(t):
    plane = t.plane("join", "Cluster")
    must_fail(join(plane, "member1", context="nowhere"), 'context "nowhere" does not exist')
    nothing_on_host(t, plane)


@test()
def a_missing_kubefedconfig_is_explained(t):
    namespace = t.unique("empty")
    t.host.create(k.NAMESPACES, None, {"metadata": {"name": namespace}})
    result = run_ctl(t.env, "join", "member1", "--host-cluster-context", "host", "--kubefed-namespace", namespace)
    must_fail(result, f'A KubeFedConfig named "kubefed" was not found in namespace "{namespace}". '
                      "Is a KubeFed control plane running in this namespace?")
    expect(t.member1.find(k.NAMESPACES, None, namespace), None, "namespace in the member")


@test()
def bad_host_cluster_names_are_refused(t):
    plane = t.plane("join", "Cluster")
    for name in ("a:b", "a/b"):
        result = plane.run_ctl("join", "member1", "--host-cluster-name", name)
        must_fail(result, 'host-cluster-name may not contain "/" or ":"')
    must_fail(plane.run_ctl("join", "member1", "--host-cluster-name", "Not_Valid"))
    expect(t.member1.find(k.NAMESPACES, None, plane.namespace), None, "namespace in the member")


@test()
def a_member_token_without_rights_is_explained(t):
    """Forbidden: which verb on which resource, in which cluster."""
    plane = t.plane("join", "Cluster")
    account = t.unique("weak")
    t.member1.create(k.SERVICEACCOUNTS, "default", {"metadata": {"name": account}})
    from harness import token_for
    token = token_for(t.member1, account)

    def change(config):
        for user in config["users"]:
            if "member1" in user["name"]:
                user["user"] = {"token": token}
    path = kubeconfig_with(t.env, t.env.folder, t.unique("weak") + ".json", change)
    result = run_ctl(t.env, "join", "member1", "--host-cluster-context", "host", "--kubefed-namespace", plane.namespace,
                     "--host-cluster-name", plane.namespace, kubeconfig=path)
    must_fail(result, "member1", "serviceaccounts")
    assert token not in result.stderr, "the token appears in the error"
    nothing_on_host(t, plane)


@test(smoke=True)
def unjoin_removes_what_join_created(t):
    plane = t.plane("unjoin", "Cluster")
    must(join(plane))
    account, role, _ = names(plane, "member1")
    secret = plane.cluster("member1")["spec"]["secretRef"]["name"]
    result = must(unjoin(plane))
    expect((result.stdout, result.stderr), ("", ""), "output: an unjoin is silent")
    expect(t.host.find(k.KFC, plane.namespace, "member1"), None, "KubeFedCluster")
    expect(t.host.find(k.SECRETS, plane.namespace, secret), None, "Secret")
    for resource in (k.CLUSTERROLES, k.CLUSTERROLEBINDINGS):
        expect(t.member1.find(resource, None, role), None, resource)
    expect(t.member1.find(k.SERVICEACCOUNTS, plane.namespace, account), None, "ServiceAccount")
    t.gone(t.member1, k.NAMESPACES, None, plane.namespace, timeout=180)


@test()
def unjoin_keeps_a_namespace_that_was_there_before(t):
    plane = t.plane("unjoin", "Cluster")
    t.member1.create(k.NAMESPACES, None, {"metadata": {"name": plane.namespace}})
    must(join(plane))
    must(unjoin(plane))
    namespace = t.member1.get(k.NAMESPACES, None, plane.namespace)
    assert not namespace["metadata"].get("deletionTimestamp"), "the namespace is being deleted"


@test()
def unjoin_of_the_host_itself_keeps_the_namespace(t):
    plane = t.plane("unjoin", "Cluster")
    must(join(plane, "host"))
    must(unjoin(plane, "host"))
    assert not t.host.get(k.NAMESPACES, None, plane.namespace)["metadata"].get("deletionTimestamp")
    expect(t.host.list(k.KFC, plane.namespace), [], "KubeFedClusters")


@test()
def unjoin_of_an_unknown_cluster_fails(t):
    plane = t.plane("unjoin", "Cluster")
    t.member1.create(k.NAMESPACES, None, {"metadata": {"name": plane.namespace}})
    must_fail(unjoin(plane), f'Failed to get kubefed cluster "{plane.namespace}/member1"')


@test()
def unjoin_goes_on_when_the_member_namespace_is_gone(t):
    plane = t.plane("unjoin", "Cluster")
    must(join(plane))
    t.member1.delete(k.NAMESPACES, None, plane.namespace)
    t.gone(t.member1, k.NAMESPACES, None, plane.namespace, timeout=180)
    must(unjoin(plane))
    expect(t.host.list(k.KFC, plane.namespace), [], "KubeFedClusters")


@test()
def unjoin_with_force_does_without_the_member(t):
    plane = t.plane("unjoin", "Cluster")
    must(join(plane))
    must_fail(unjoin(plane, "member1", context="nowhere"), "nowhere")
    must(unjoin(plane, "member1", "--force", context="nowhere"))
    expect(t.host.list(k.KFC, plane.namespace), [], "KubeFedClusters")


@test()
def join_and_unjoin_can_be_repeated(t):
    plane = t.plane("unjoin", "Cluster")
    for _ in range(2):
        must(join(plane))
        must(unjoin(plane))
        t.gone(t.member1, k.NAMESPACES, None, plane.namespace, timeout=180)


@test()
def two_clusters_join_at_the_same_time(t):
    plane = t.plane("join", "Cluster", start=True)
    results = {}
    threads = [threading.Thread(target=lambda m=m: results.update({m: join(plane, m)})) for m in ("member1", "member2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results.values():
        must(result)
    plane.wait_ready("member1", "member2")


@test()
def a_name_other_than_the_context_can_be_given(t):
    plane = t.plane("join", "Cluster", start=True)
    must(join(plane, "blue", context="member2"))
    plane.wait_ready("blue")
    expect(plane.cluster("blue")["spec"]["apiEndpoint"], t.env.entry("member2")[0], "apiEndpoint")
    assert os.path.exists(t.env.kubeconfig)
    eventually(lambda: plane.cluster("blue")["status"]["kubernetesVersion"])


@test()
def names_that_join_to_the_same_account_do_not_take_each_other_over(t):
    """A-50: cluster a of host b-c, and cluster a-b of host c."""
    plane = t.plane("twins", "Cluster")

    def run(verb, cluster, host, *arguments):
        return plane.run_ctl(verb, cluster, "--cluster-context", "member1", "--host-cluster-name", host, *arguments)
    first, second = ("a", f"b-{plane.namespace}"), ("a-b", plane.namespace)
    must(run("join", *first))
    account = t.member1.get(k.SERVICEACCOUNTS, plane.namespace, f"a-b-{plane.namespace}")
    must_fail(run("join", *second), "already exists in joining cluster", "belongs to another registration", "--host-cluster-name")
    must_fail(run("join", *second, "--error-on-existing=false"), "belongs to another registration", "nothing was changed")
    expect([c["metadata"]["name"] for c in t.host.list(k.KFC, plane.namespace)], ["a"], "KubeFedClusters")
    # One that was registered before this was noticed: its account is not deleted.
    t.host.create(k.SECRETS, plane.namespace, {"metadata": {"name": "old"}, "data": {"token": "eA=="}})
    t.host.create(k.KFC, plane.namespace, {"metadata": {"name": "a-b"}, "spec": {"apiEndpoint": "https://x", "secretRef": {"name": "old"}}})
    must_fail(run("unjoin", *second), "belongs to another registration")
    must(run("unjoin", *second, "--force"))
    expect(t.member1.get(k.SERVICEACCOUNTS, plane.namespace, account["metadata"]["name"])["metadata"]["uid"],
           account["metadata"]["uid"], "the account")
    must(run("unjoin", *first))
