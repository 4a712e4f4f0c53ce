"""The error texts of kubefedctl, their exit status, and what goes to stdout and what to stderr (api-and-cli.md 3).

Errors that an API server has to give are given by a gateway: it refuses one kind of request with 403.
"""
import base64
import json
import os
import re
import subprocess

from cli_cases import (Gateways, discovered, error_of, established, kubeconfig, must, must_begin, must_say, proxies, real,
                       whole, write)
from harness import GADGET_SCHEMA, crd, eventually, expect, k, run_ctl, test

KLOG = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [\w.-]+:\d+\] ")
TIMED_OUT = "timed out waiting for the condition"


def refuse(gateway, method, path):
    """The gateway answers such requests with 403; path is a regular expression for the whole path."""
    gateway.refuse = lambda m, p, _: 403 if m == method and re.fullmatch(path, p) else None


def check_refusals(gateways, letter, rows, *command, before=None):
    """rows: (method, path, beginning of the error): the request is refused, the command fails with that error."""
    gateway = gateways.of[letter]
    for method, path, text in rows:
        if before:
            before()
        refuse(gateway, method, path)
        error = must_begin(gateways.run(*command)[0], text)
        assert "Forbidden by the gateway" in error, f"the cause is missing: {error}"
        gateway.refuse = lambda *_: None


def on_host(t, *arguments, **kwargs):
    return run_ctl(t.env, *arguments, "--host-cluster-context", "host", **kwargs)


# ---- 3.1

@test()
def usage_errors_print_error_usage_and_error(t):
    for arguments, text in ((("join", "--nope"), "unknown flag: --nope"),
                            (("version", "-x"), "unknown shorthand flag: 'x' in -x"),
                            (("join", "--secret-name"), "flag needs an argument: --secret-name"),
                            (("federate", "-n"), "flag needs an argument: 'n' in -n"),
                            (("enable", "--dry-run=perhaps"), 'invalid argument "perhaps" for "--dry-run" flag: '
                                                              'strconv.ParseBool: parsing "perhaps": invalid syntax'),
                            (("federate", "--contents=2"), 'invalid argument "2" for "-c, --contents" flag: '
                                                           'strconv.ParseBool: parsing "2": invalid syntax'),
                            (("version", "-v", "x"), 'invalid argument "x" for "-v, --v" flag: '
                                                     'strconv.ParseInt: parsing "x": invalid syntax')):
        result = run_ctl(t.env, *arguments, kubeconfig=False)
        expect((result.returncode, result.stdout), (1, ""), f"status and stdout of {arguments}")
        lines = result.stderr.splitlines()
        expect((lines[0], lines[-1]), (f"Error: {text}", text), f"first and last line of {arguments}")
        assert any(line.startswith("Usage:") for line in lines), result.stderr


@test()
def an_unknown_command_names_the_near_ones(t):
    for typed, near in (("jion", ["join"]), ("enabel", ["enable"]), ("unjon", ["unjoin"]), ("feder", ["federate"]),
                        ("somethingelse", [])):
        result = run_ctl(t.env, typed, kubeconfig=False)
        expect((result.returncode, result.stdout), (1, ""), f"status and stdout of {typed}")
        text = f'unknown command "{typed}" for "kubefedctl"'
        lines = result.stderr.splitlines()
        expect(lines[0], f"Error: {text}", "first line")
        assert "Run 'kubefedctl --help' for usage." in lines and text in lines[1:], result.stderr
        assert "Usage:" not in result.stderr, result.stderr
        offered = {line.strip() for line in lines if line.startswith("\t")}
        expect(sorted(offered), near, f"what is offered for {typed}")


@test()
def an_unknown_flag_names_the_near_one(t):
    for arguments, near in ((("join", "--secretname", "x"), "--secret-name"), (("federate", "--content"), "--contents"),
                            (("enable", "--host-cluster-contxt", "x"), "--host-cluster-context")):
        result = run_ctl(t.env, *arguments, kubeconfig=False)
        expect(result.returncode, 1, "exit status")
        assert f"Did you mean this?\n\t{near}\n" in result.stderr, result.stderr


@test()
def help_goes_to_stdout_and_exits_0(t):
    for arguments in ((), ("orphaning-deletion",), ("orphaning-deletion", "nonsense"),
                      ("orphaning-deletion", "status", "-h"),
                      ("help", "join"), ("help", "orphaning-deletion", "enable")):
        result = run_ctl(t.env, *arguments, kubeconfig=False)
        expect((result.returncode, result.stderr), (0, ""), f"status and stderr of {arguments}")
        assert "Usage:" in result.stdout, result.stdout


@test()
def extra_arguments_are_ignored_and_flags_stand_anywhere(t):
    expect(run_ctl(t.env, "version", "a", "b", kubeconfig=False).returncode, 0, "exit status of version a b")
    plain = must(on_host(t, "enable", "configmaps", "-o", "yaml")).stdout
    for arguments in (("-o", "yaml", "enable", "configmaps"),
                      ("enable", "--output=yaml", "configmaps", "extra", "more"),
                      ("--host-cluster-context", "host", "enable", "configmaps", "-oyaml"),
                      ("enable", "configmaps", "--dry-run", "--dry-run=false", "-o", "yaml"),
                      ("enable", "-o", "json", "configmaps", "-o=yaml")):
        expect(must(on_host(t, *arguments)).stdout, plain, f"stdout of {arguments}")
    result = on_host(t, "federate", "-f", "/dev/null", "extra")
    must_say(result, "Flag '--filename' does not take any args. Got args: [extra]")


@test()
def underscores_in_flags_are_converted_with_a_warning(t):
    result = must(whole(run_ctl, t.env, "enable", "configmaps", "-o", "yaml", "--host_cluster_context=host"))
    lines = result.stderr.splitlines()
    expect(len(lines), 1, f"lines of stderr: {result.stderr}")
    assert KLOG.match(lines[0]) and lines[0].startswith("W"), lines[0]
    assert "host_cluster_context has been converted to host-cluster-context" in lines[0], lines[0]


@test()
def progress_is_logged_on_stderr_at_verbosity_2(t):
    plane = t.plane("rules", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    gateways.tokens_in_time("M")
    for verb in ("join", "unjoin"):
        result = must(gateways.run(verb, "member1", "--host-cluster-name", plane.namespace, "--v=2")[0])
        expect(result.stdout, "", f"stdout of {verb}")
        lines = result.stderr.splitlines()
        assert len(lines) >= 5 and all(KLOG.match(line) for line in lines), result.stderr
        assert any(f"{plane.namespace}" in line for line in lines), result.stderr


@test()
def logging_flags_of_kubefed_are_accepted(t):
    for flag in ("--add-dir-header", "--alsologtostderr", "--log-backtrace-at=a.go:1", "--log-dir=/nowhere",
                 "--log-file=/nowhere",
                 "--log-file-max-size=7", "--log-flush-frequency=1m30s", "--logtostderr=false", "--one-output",
                 "--skip-headers",
                 "--skip-log-headers", "--stderrthreshold=1", "-v=1", "--v=1", "--vmodule=a=1"):
        expect(run_ctl(t.env, "version", flag, kubeconfig=False).returncode, 0, f"exit status with {flag}")


@test()
def the_host_context_is_named_when_it_does_not_exist(t):
    for arguments in (("join", "member1"), ("unjoin", "member1")):
        must_begin(run_ctl(t.env, *arguments, "--host-cluster-context", "nowhere"), 'context "nowhere" does not exist')
    for arguments in (("enable", "configmaps"), ("disable", "configmaps"), ("federate", "configmap", "x")):
        must_begin(run_ctl(t.env, *arguments, "--host-cluster-context", "nowhere"),
                   'Failed to get host cluster config: context "nowhere" does not exist')
    must_begin(run_ctl(t.env, "orphaning-deletion", "status", "fcm", "x", "--host-cluster-context", "nowhere"),
               f'Unable to load configuration for cluster context "nowhere" in kubeconfig "{t.env.kubeconfig}": '
               'context "nowhere" does not exist')


@test()
def no_configuration_at_all(t):
    environment = {"KUBECONFIG": "", "HOME": t.env.folder}
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        environment[name] = ""
    must_say(run_ctl(t.env, "join", "x", kubeconfig=False, environment=environment),
             "invalid configuration: no configuration has been provided, "
             "try setting KUBERNETES_MASTER environment variable")


# ---- 3.2

@test()
def join_checks_its_arguments_before_it_asks(t):
    for arguments, text in (
            (("join",), "NAME is required"), (("join", ""), "NAME is required"), (("unjoin",), "NAME is required"),
            (("join", "a", "--host-cluster-name", "x:y"), 'host-cluster-name may not contain "/" or ":"'),
            (("unjoin", "a", "--host-cluster-name", "x/y"), 'host-cluster-name may not contain "/" or ":"')):
        must_say(run_ctl(t.env, *arguments, kubeconfig="/no/such/file"), text)
    for verb in ("join", "unjoin"):
        must_say(run_ctl(t.env, verb, "a", "--host-cluster-context", "arn:aws/x", kubeconfig="/no/such/file"),
                 'host-cluster-name must be set if the name of the host cluster context contains one of ":" or "/"')


@test()
def a_current_context_that_makes_no_name_is_refused_before_anything_is_written(t):
    """A-03: the check sees the context that is used, not only the flag."""
    plane = t.plane("rules", "Cluster")
    for name, text in (("arn:aws:eks:eu-1:1234:cluster/prod",
                        "host-cluster-name must be set if the name of the host cluster context contains one of "
                        '":" or "/"'),
                       ("admin@Prod",
                        '"member1-admin@Prod" cannot be the name of the ServiceAccount in cluster "member1"')):
        path = kubeconfig(t, {name: real(t, "host"), "member1": real(t, "member1")}, name)
        result = run_ctl(t.env, "join", "member1", "--kubefed-namespace", plane.namespace, kubeconfig=path)
        must_begin(result, text)
        expect(t.member1.find(k.NAMESPACES, None, plane.namespace), None, "namespace in the member")
        # A name of one's own helps.
        must(run_ctl(t.env, "join", "member1", "--kubefed-namespace", plane.namespace, "--host-cluster-name",
                     plane.namespace,
                     kubeconfig=path))
        must(run_ctl(t.env, "unjoin", "member1", "--kubefed-namespace", plane.namespace, "--host-cluster-name",
                     plane.namespace,
                     kubeconfig=path))
        t.gone(t.member1, k.NAMESPACES, None, plane.namespace, timeout=180)


@test()
def join_without_a_control_plane(t):
    namespace = t.unique("rules-empty")
    result = on_host(t, "join", "member1", "--kubefed-namespace", namespace)
    must_say(result, f'A KubeFedConfig named "kubefed" was not found in namespace "{namespace}". '
                     "Is a KubeFed control plane running in this namespace?")


@test()
def join_names_what_the_host_refuses(t):
    plane = t.plane("rules", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    refuse(gateways.of["H"], "GET", ".*/kubefedconfigs/kubefed")
    must_begin(gateways.run("join", "member1")[0], f'Error retrieving KubeFedConfig "{plane.namespace}/kubefed": ')
    gateways.of["H"].close()
    must_begin(gateways.run("join", "member1")[0], "Failed to get kubefed clientset: ")


def check_existing(t, scope, kinds):
    """kinds: {word: (resource, namespaced)} of what exists already."""
    plane = t.plane("rules", scope)
    ns = plane.namespace
    t.member1.create(k.NAMESPACES, None, {"metadata": {"name": ns}})
    for number, (word, (resource, namespaced)) in enumerate(kinds.items()):
        cluster = f"c{number}"
        account = f"{cluster}-{ns}"
        name = f"kubefed-controller-manager:{ns}:healthcheck-{account}" if "health" in word \
            else f"kubefed-controller-manager:{account}"
        obj = {"metadata": {"name": name}}
        if "binding" in word:
            obj["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
        else:
            obj["rules"] = []
        t.member1.create(resource, ns if namespaced else None, obj)
        result = plane.run_ctl("join", cluster, "--cluster-context", "member1", "--host-cluster-name", ns)
        must_say(result, f"{word} for service account {account} in joining cluster {cluster} already exists")
        assert "--error-on-existing=false" in result.stderr, f"no way on is told (A-10): {result.stderr}"
        # The flag brings all of it up to date: a binding with another roleRef is made anew.
        must(plane.run_ctl("join", cluster, "--cluster-context", "member1", "--host-cluster-name", ns,
                           "--error-on-existing=false"))
        made = t.member1.get(resource, ns if namespaced else None, name)
        if "binding" in word:
            expect(made["roleRef"]["name"], name, f"roleRef of the {word}")
            expect([s["name"] for s in made["subjects"]], [account], f"subjects of the {word}")
        else:
            assert made["rules"], f"the rules of the {word} are missing"


@test()
def join_refuses_existing_cluster_roles(t):
    check_existing(t, "Cluster",
                   {"cluster role": (k.CLUSTERROLES, False), "cluster role binding": (k.CLUSTERROLEBINDINGS, False)})


@test()
def join_refuses_existing_roles(t):
    check_existing(t, "Namespaced", {
        "role": (k.ROLES, True), "role binding": (k.ROLEBINDINGS, True),
        "health check cluster role": (k.CLUSTERROLES, False),
        "health check cluster role binding": (k.CLUSTERROLEBINDINGS, False)})


@test()
def join_refuses_an_existing_registration(t):
    plane = t.plane("rules", "Cluster")
    ns = plane.namespace
    common = ("--host-cluster-name", ns)
    t.member1.create(k.NAMESPACES, None, {"metadata": {"name": ns}})
    t.member1.create(k.SERVICEACCOUNTS, ns, {"metadata": {"name": f"member1-{ns}"}})
    must_say(plane.run_ctl("join", "member1", *common),
             f"service account: member1-{ns} already exists in joining cluster: member1")
    t.member1.delete(k.SERVICEACCOUNTS, ns, f"member1-{ns}")
    plane.add_cluster("member1", "https://127.0.0.1:1", "x", None)
    must_say(plane.run_ctl("join", "member1", *common), "federated cluster member1 already exists in host cluster")
    t.host.delete(k.KFC, ns, "member1")
    must_say(plane.run_ctl("join", "member1", *common, "--secret-name", "member1-secret"),
             "host cluster secret member1-secret already exists")
    expect(t.member1.list(k.ROLEBINDINGS, ns), [], "nothing was made in the member")


@test()
def names_that_collide_are_refused(t):
    """A-50: (a, b-c) and (a-b, c) have the same ServiceAccount."""
    plane = t.plane("rules", "Cluster")
    ns = plane.namespace
    gateways = Gateways(t, plane, H="host", M="member1")
    gateways.tokens_in_time("M")        # Kubernetes writes the name of the token Secret into the ServiceAccount
    must(gateways.run("join", "a", "--cluster-context", "member1", "--host-cluster-name", f"b-{ns}")[0])
    before = t.member1.get(k.SERVICEACCOUNTS, ns, f"a-b-{ns}")["metadata"]
    must_say(plane.run_ctl("join", "a-b", "--cluster-context", "member1", "--host-cluster-name", ns),
             f"service account: a-b-{ns} already exists in joining cluster: a-b")
    expect(t.member1.get(k.SERVICEACCOUNTS, ns, f"a-b-{ns}")["metadata"], before, "the ServiceAccount of the first")
    expect([c["metadata"]["name"] for c in t.host.list(k.KFC, ns)], ["a"], "KubeFedClusters")


@test()
def the_health_role_grants_what_it_names(t):
    """A-04: verbs of RBAC are lower case."""
    plane = t.plane("rules", "Namespaced")
    ns = plane.namespace
    must(plane.run_ctl("join", "member1", "--host-cluster-name", ns))
    name = f"kubefed-controller-manager:{ns}:healthcheck-member1-{ns}"
    rules = t.member1.get(k.CLUSTERROLES, None, name)["rules"]
    health = [r for r in rules if r.get("nonResourceURLs") == ["/healthz"]]
    nodes = [r for r in rules if r.get("resources") == ["nodes"] and r["apiGroups"] == [""]]
    assert len(rules) == 2 and "get" in health[0]["verbs"] and nodes[0]["verbs"] == ["list"], rules


@test()
def join_keeps_a_secret_with_the_same_token_and_tells_when_it_changes(t):
    plane = t.plane("rules", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    gateways.tokens_in_time("M")        # a token Secret that Kubernetes makes later would be another one, and go first
    arguments = ("join", "member1", "--host-cluster-name", plane.namespace, "--secret-name", "mine")
    must(gateways.run(*arguments)[0])
    before = t.host.get(k.SECRETS, plane.namespace, "mine")["metadata"]["resourceVersion"]
    result = must(gateways.run(*arguments, "--error-on-existing=false")[0])
    expect(result.stderr, "", "stderr with the same token")
    expect(t.host.get(k.SECRETS, plane.namespace, "mine")["metadata"]["resourceVersion"], before,
           "version of the Secret")
    t.host.patch(k.SECRETS, plane.namespace, "mine",
                 {"data": {"token": "b3RoZXI="}, "metadata": {"labels": {"mine": "yes"}}})
    result = must(gateways.run(*arguments, "--error-on-existing=false")[0])
    line = result.stderr.splitlines()[0]
    assert KLOG.match(line) and line.endswith('"Updated secret in host cluster as member cluster\'s token changed" '
                                              'secretName="mine"'), result.stderr
    expect(result.stdout, "", "stdout")
    expect(t.host.get(k.SECRETS, plane.namespace, "mine")["metadata"]["labels"], {"mine": "yes"},
           "labels of the Secret")


@test()
def join_takes_over_what_the_kubeconfig_says(t):
    """Step 10: server verbatim, caBundle; nothing else is set."""
    plane = t.plane("rules", "Cluster")
    server, ca, token = real(t, "member1")
    path = kubeconfig(t, {"host": real(t, "host"), "member1": (server + "/", ca, token)}, "host")
    must(run_ctl(t.env, "join", "member1", "--kubefed-namespace", plane.namespace, "--host-cluster-name",
                 plane.namespace,
                 kubeconfig=path))
    spec = plane.cluster("member1")["spec"]
    expect((spec["apiEndpoint"], spec["caBundle"], spec["proxyURL"], "disabledTLSValidations" in spec),
           (server + "/", ca, "", False), "spec")


@test()
def join_takes_over_disabled_checks_and_a_proxy(t):
    """Step 10: insecure-skip-tls-verify, proxy-url; the CA is that beside the token then, and stored nevertheless."""
    plane = t.plane("rules", "Cluster")
    proxy = proxies.ForwardProxy("http")
    t.cleanup(proxy.close)
    server, ca, token = real(t, "member1")
    member = {"server": server, "insecure-skip-tls-verify": True, "proxy-url": proxy.url}

    def join(**changes):
        path = kubeconfig(t, {"host": real(t, "host"), "member1": (server, None, token)}, "host")
        with open(path) as f:
            config = json.load(f)
        config["clusters"][1]["cluster"] = {**member, **changes}
        with open(path, "w") as f:
            json.dump(config, f)
        return run_ctl(t.env, "join", "member1", "--kubefed-namespace", plane.namespace, "--host-cluster-name",
                       plane.namespace, kubeconfig=path)
    error = error_of(join(**{"proxy-url": "ftp://[::1"}))
    assert "proxy URL" in error, error
    expect(t.member1.find(k.NAMESPACES, None, plane.namespace), None, "namespace in the member")
    must(join())
    spec = plane.cluster("member1")["spec"]
    expect((spec["disabledTLSValidations"], spec["proxyURL"], spec["apiEndpoint"]), (["*"], proxy.url, server), "spec")
    expect(base64.b64decode(spec["caBundle"]).strip(), base64.b64decode(ca).strip(), "caBundle")
    assert proxy.targets, "the proxy was not used"


# ---- 3.3

@test()
def unjoin_names_what_cannot_be_deleted_in_the_member(t):
    plane = t.plane("rules", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    ns = plane.namespace
    account = f"member1-{ns}"
    role, health = f"kubefed-controller-manager:{account}", f"kubefed-controller-manager:{ns}:healthcheck-{account}"
    where = f'for service account "{account}" in unjoining cluster "member1": '
    must(gateways.run("join", "member1", "--host-cluster-name", ns)[0])
    quoted = {name: name.replace(":", "%3A") for name in (role, health)}
    check_refusals(gateways, "M", (
        ("DELETE", f".*/clusterrolebindings/{quoted[role]}", f'Could not delete cluster role binding "{role}" {where}'),
        ("DELETE", f".*/clusterroles/{quoted[role]}", f'Could not delete cluster role "{role}" {where}'),
        ("DELETE", f".*/clusterrolebindings/{quoted[health]}",
         f'Could not delete cluster role binding "{health}" {where}'),
        ("DELETE", f".*/clusterroles/{quoted[health]}", f'Could not delete cluster role "{health}" {where}'),
        ("DELETE", f".*/rolebindings/{quoted[role]}", f'Could not delete role binding "{ns}/{role}" {where}'),
        ("DELETE", f".*/roles/{quoted[role]}", f'Could not delete role "{ns}/{role}" {where}'),
        ("DELETE", f".*/serviceaccounts/{account}", f'Could not delete service account "{ns}/{account}": '),
        ("GET", f"/api/v1/namespaces/{ns}", f'Error retrieving namespace "{ns}" from unjoining cluster "member1": '),
        ("DELETE", f"/api/v1/namespaces/{ns}",
         f'Could not delete kubefed namespace "{ns}" from unjoining cluster "member1": '),
    ), "unjoin", "member1", "--host-cluster-name", ns)
    plane.cluster("member1")
    # With --force each of them is passed over; the registration goes all the same.
    gateways.of["M"].refuse = lambda *_: 403
    result = must(gateways.run("unjoin", "member1", "--host-cluster-name", ns, "--force")[0])
    expect(result.stdout, "", "stdout")
    expect(t.host.list(k.KFC, ns), [], "KubeFedClusters")
    t.member1.get(k.NAMESPACES, None, ns)


@test()
def unjoin_names_what_the_host_refuses(t):
    plane = t.plane("rules", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    ns = plane.namespace
    t.member1.create(k.NAMESPACES, None, {"metadata": {"name": ns}})
    must(gateways.run("join", "member1", "--host-cluster-name", ns, "--secret-name", "mine")[0])
    check_refusals(gateways, "H", (
        ("GET", ".*/kubefedclusters/member1", f'Failed to get kubefed cluster "{ns}/member1": '),
        ("GET", f"/api/v1/namespaces/{ns}", f'Error retrieving namespace "{ns}" from host cluster: '),
        ("DELETE", ".*/secrets/mine", f'Failed to delete secret "{ns}/mine" for unjoin cluster "member1": '),
        ("DELETE", ".*/kubefedclusters/member1",
         f'Failed to delete kubefed cluster "{ns}/member1" for unjoin cluster "member1": '),
    ), "unjoin", "member1", "--host-cluster-name", ns)
    # A registration that cannot be read is fatal even with --force: nothing would be known about its Secret.
    check_refusals(gateways, "H", (
        ("GET", ".*/kubefedclusters/member1", f'Failed to get kubefed cluster "{ns}/member1": '),
    ), "unjoin", "member1", "--host-cluster-name", ns, "--force")
    must(gateways.run("unjoin", "member1", "--host-cluster-name", ns)[0])


@test()
def unjoin_of_a_name_that_is_not_registered_deletes_nothing(t):
    plane = t.plane("rules", "Cluster")
    ns = plane.namespace
    must(plane.run_ctl("join", "member1", "--host-cluster-name", ns))
    t.host.delete(k.KFC, ns, "member1")
    result = plane.run_ctl("unjoin", "member1", "--host-cluster-name", ns)
    expect(error_of(result),
           f'Failed to get kubefed cluster "{ns}/member1": kubefedclusters.core.kubefed.io "member1" not found',
           "error")
    assert "Nothing was deleted." in result.stderr and "is kept" not in result.stderr, result.stderr
    t.member1.get(k.SERVICEACCOUNTS, ns, f"member1-{ns}")
    # A-41: --force cleans the member all the same.
    result = must(plane.run_ctl("unjoin", "member1", "--host-cluster-name", ns, "--force"))
    assert f'KubeFedCluster "{ns}/member1" does not exist' in result.stderr, result.stderr
    expect(t.member1.find(k.SERVICEACCOUNTS, ns, f"member1-{ns}"), None, "ServiceAccount")
    t.gone(t.member1, k.NAMESPACES, None, ns, timeout=180)


@test()
def unjoin_keeps_a_namespace_that_another_registration_uses(t):
    """A-13."""
    plane = t.plane("rules", "Cluster")
    ns = plane.namespace
    for cluster in ("one", "two"):
        must(plane.run_ctl("join", cluster, "--cluster-context", "member1", "--host-cluster-name", ns))
    result = must(plane.run_ctl("unjoin", "one", "--cluster-context", "member1", "--host-cluster-name", ns))
    kept = f'Namespace "{ns}" of cluster "one" is kept: another registration of this cluster uses it'
    assert kept in result.stderr, result.stderr
    t.member1.get(k.SERVICEACCOUNTS, ns, f"two-{ns}")
    must(plane.run_ctl("unjoin", "two", "--cluster-context", "member1", "--host-cluster-name", ns))
    t.gone(t.member1, k.NAMESPACES, None, ns, timeout=180)
    # --delete-namespace is the old behaviour: also one that was there before.
    t.member1.create(k.NAMESPACES, None, {"metadata": {"name": ns}})
    must(plane.run_ctl("join", "one", "--cluster-context", "member1", "--host-cluster-name", ns))
    must(plane.run_ctl("unjoin", "one", "--cluster-context", "member1", "--host-cluster-name", ns,
                       "--delete-namespace"))
    t.gone(t.member1, k.NAMESPACES, None, ns, timeout=180)


@test()
def unjoin_keeps_the_rights_of_a_control_plane_in_another_namespace(t):
    """A-50: their names do not tell the namespaces apart."""
    wide, team = t.plane("wide", "Cluster"), t.plane("team", "Namespaced")
    arguments = ("shared", "--cluster-context", "member1", "--host-cluster-name", wide.namespace)
    role = f"kubefed-controller-manager:shared-{wide.namespace}"
    must(wide.run_ctl("join", *arguments))
    must(team.run_ctl("join", *arguments))
    result = must(team.run_ctl("unjoin", *arguments))
    kept = f'"{role}" of cluster "shared" are kept: the control plane in namespace "{wide.namespace}" uses them.'
    assert kept in result.stderr, result.stderr
    expect(t.member1.get(k.CLUSTERROLEBINDINGS, None, role)["subjects"][0]["namespace"], wide.namespace, "subject")
    t.member1.get(k.CLUSTERROLES, None, role)
    must(wide.run_ctl("unjoin", *arguments))
    for resource in (k.CLUSTERROLES, k.CLUSTERROLEBINDINGS):
        expect(t.member1.find(resource, None, role), None, "rights of nobody")


# ---- 3.4, 3.5, 1.9.3

def own_type(t, group="rules.example.com", kind=None):
    kind = kind or f"Rule{t.env.number('rulekind')}"
    plural = kind.lower() + "s"
    t.host.create(k.CRDS, None, crd(group, "v1", plural, kind, GADGET_SCHEMA))
    discovered(t.host, f"{group}/v1/{plural}")
    return kind, plural


@test()
def enable_checks_its_arguments(t):
    for arguments, text in ((("enable",), "NAME is required"),
                            (("enable", "x", "-o", "json"), "Invalid value for --output: json"),
                            (("enable", "-f", "/no/such.yaml"),
                             'Failed to load yaml from file "/no/such.yaml": open /no/such.yaml: no such file or '
                             "directory")):
        must_say(run_ctl(t.env, *arguments), text)


@test()
def enable_names_what_the_host_refuses(t):
    plane = t.plane("rules", "Cluster")
    gateways = Gateways(t, plane, H="host")
    _, plural = own_type(t)
    ns, ftc, federated = plane.namespace, f"{plural}.rules.example.com", f"federated{plural}.types.kubefed.io"
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    check_refusals(gateways, "H", (
        ("GET", f"{crds}/{ftc}", "Error initializing validation schema accessor: "),
        ("GET", f"/api/v1/namespaces/{ns}",
         f'Error attempting to determine whether KubeFed system namespace "{ns}" exists: '),
        ("GET", f".*/federatedtypeconfigs/{ftc}", f'Error retrieving FederatedTypeConfig "{ftc}": '),
        ("GET", ".*/federatedtypeconfigs", "Error getting FederatedTypeConfig list: "),
        ("GET", f"{crds}/{federated}", f'Error getting CRD "{federated}": '),
        ("POST", crds, f'Error creating CRD "{federated}": '),
        ("POST", ".*/federatedtypeconfigs", f'Error creating FederatedTypeConfig "{ftc}": '),
    ), "enable", plural)
    must(plane.run_ctl("enable", plural))
    check_refusals(gateways, "H", (
        ("PUT", f"{crds}/{federated}", f'Error updating CRD "{federated}": '),
        ("PATCH", f".*/federatedtypeconfigs/{ftc}", f'Error updating FederatedTypeConfig "{ftc}": '),
    ), "enable", plural, before=lambda: t.host.patch(k.FTC, ns, ftc, {"spec": {"propagation": "Disabled"}}))
    refuse(gateways.of["H"], "GET", "/openapi/v2")
    must_begin(gateways.run("enable", "limitranges", "-o", "yaml")[0],
               "Error initializing validation schema accessor: ")


class EmptySchema(proxies.Gateway):
    """An API server whose OpenAPI document defines nothing."""

    def serve(self, handler, body):
        if handler.path.startswith("/openapi/v2"):
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", "18")
            handler.end_headers()
            handler.wfile.write(b'{"definitions":{}}')
            return
        super().serve(handler, body)


@test()
def a_type_without_openapi_definition_is_named(t):
    authority = proxies.Authority(os.path.join(t.env.folder, t.unique("authority")))
    _, ca, token = real(t, "host")
    gateway = EmptySchema(t.env.apis["host"], ca, authority.certificate("gateway"))
    t.cleanup(gateway.close)
    path = kubeconfig(t, {"host": (gateway.endpoint, authority.ca, token)}, "host")
    must_say(run_ctl(t.env, "enable", "deployments.apps", "-o", "yaml", kubeconfig=path),
             "Error initializing validation schema accessor: "
             'Unable to find openapi schema for "apps/v1, Kind=Deployment"')


@test()
def enable_without_system_namespace(t):
    must_begin(on_host(t, "enable", "limitranges", "--kubefed-namespace", "not-there"),
               'KubeFed system namespace "not-there" does not exist: ')


@test()
def enable_refuses_another_federated_type_for_a_type(t):
    plane = t.plane("rules", "Cluster")
    kind, plural = own_type(t)
    ns = plane.namespace
    must(plane.run_ctl("enable", plural))
    must_say(plane.run_ctl("enable", plural, "--federated-group", "fed.acme.io"),
             f'Federation is already enabled for "{plural}.rules.example.com/v1" with federated type '
             f'"federated{plural}.types.kubefed.io/v1beta1". Changing the federated type to '
             f'"federated{plural}.fed.acme.io/v1beta1" is not supported.')
    must_say(plane.run_ctl("enable", plural, "--federated-version", "v2"),
             f'Federation is already enabled for "{plural}.rules.example.com/v1" with federated type '
             f'"federated{plural}.types.kubefed.io/v1beta1". Changing the federated type to '
             f'"federated{plural}.types.kubefed.io/v2" is not supported.')
    # The same kind in another group (7.3).
    own_type(t, "more.example.com", kind)
    other, federated = f"{plural}.more.example.com", f"federated{plural}.types.kubefed.io"
    must_say(plane.run_ctl("enable", other),
             f'Failed to enable federation of "{other}" due to the FederatedTypeConfig for '
             f'"{plural}.rules.example.com" already referencing a federated type CRD named "{federated}". '
             'If these target types are distinct despite sharing the same kind, specifying a non-default '
             f'--federated-group should allow "{other}" to be enabled.')
    expect(must(plane.run_ctl("enable", other, "--federated-group", "fed.acme.io")).stdout,
           f"customresourcedefinition.apiextensions.k8s.io/federated{plural}.fed.acme.io created\n"
           f"federatedtypeconfig.core.kubefed.io/{other} created in namespace {ns}\n", "stdout")


@test()
def enable_refuses_an_equivalent_type(t):
    """1.9.3 and A-37: also when the federated CRD does not exist."""
    plane = t.plane("rules", "Cluster")
    plane.add_type("extensions/v1beta1/ingresses")
    must_say(plane.run_ctl("enable", "ingresses.networking.k8s.io"),
             'Failed to enable "ingresses.networking.k8s.io/v1". Federation of this type is already enabled for '
             'equivalent type "ingresses.extensions/v1beta1" by FederatedTypeConfig '
             f'"{plane.namespace}/ingresses.extensions"')
    must_begin(plane.run_ctl("enable", "ingresses.networking.k8s.io", "--federated-group", "fed.acme.io"),
               'Failed to enable "ingresses.networking.k8s.io/v1". Federation of this type is already enabled for ')


@test()
def enable_refuses_a_crd_of_somebody_else(t):
    """A-52."""
    plane = t.plane("rules", "Cluster")
    kind, plural = own_type(t)
    name = f"federated{plural}.types.kubefed.io"
    theirs = crd("types.kubefed.io", "v1beta1", f"federated{plural}", f"Federated{kind}", GADGET_SCHEMA)
    t.host.create(k.CRDS, None, theirs)
    established(t.host, name)
    before = t.host.get(k.CRDS, None, name)["spec"]
    result = plane.run_ctl("enable", plural)
    must_begin(result, f'Error updating CRD "{name}": it exists and is not that of a federated type: ')
    expect(result.stdout, "", "stdout")
    expect((t.host.get(k.CRDS, None, name)["spec"], t.host.list(k.FTC, plane.namespace)), (before, []), "what is there")
    # Its owner may hand it over.
    t.host.patch(k.CRDS, None, name, {"metadata": {"labels": {"kubefed.io/created-by-enable": "true"}}})
    expect(must(plane.run_ctl("enable", plural)).stdout.splitlines()[0],
           f"customresourcedefinition.apiextensions.k8s.io/{name} updated", "stdout")


@test()
def enable_marks_its_crd_and_knows_those_of_kubefed(t):
    """A-52: KubeFed's CRDs have no mark; what they look like is enough."""
    plane = t.plane("rules", "Cluster")
    _, plural = own_type(t)
    name = f"federated{plural}.types.kubefed.io"
    must(plane.run_ctl("enable", plural))
    expect(t.host.get(k.CRDS, None, name)["metadata"]["labels"], {"kubefed.io/created-by-enable": "true"}, "labels")
    t.host.patch(k.CRDS, None, name, {"metadata": {"labels": {"kubefed.io/created-by-enable": None, "mine": "1"}}})
    must(plane.run_ctl("enable", plural))
    expect(t.host.get(k.CRDS, None, name)["metadata"]["labels"], {"kubefed.io/created-by-enable": "true", "mine": "1"},
           "labels")


@test()
def enable_returns_when_the_new_type_is_served(t):
    plane = t.plane("rules", "Cluster")
    for _ in range(5):
        _, plural = own_type(t)
        must(plane.run_ctl("enable", plural))
        expect(t.host.list(f"{k.FED}{plural}"), [], "federated objects")


@test()
def a_type_whose_names_are_taken_is_told(t):
    """The API server never serves a CRD whose kind is taken: that is a warning; both objects are there."""
    plane = t.plane("rules", "Cluster")
    kind, plural = own_type(t)
    t.host.create(k.CRDS, None,
                  crd("types.kubefed.io", "v1beta1", f"others{plural}", f"Federated{kind}", GADGET_SCHEMA))
    eventually(lambda: t.host.list(f"types.kubefed.io/v1beta1/others{plural}"))
    result = must(plane.run_ctl("enable", plural))
    expect(len(result.stdout.splitlines()), 2, f"lines of stdout: {result.stdout}")
    text = f'"federated{plural}.types.kubefed.io" cannot be served under all of its names: '
    assert text in result.stderr, result.stderr


@test()
def a_version_can_be_chosen(t):
    """A-07: every served version; A-08, A-09: the schema of that version; a version that is not served is named."""
    plural = f"versioned{t.env.number('versioned')}s"
    both = crd("rules.example.com", "v2", plural, plural[:-1].capitalize(), GADGET_SCHEMA)
    replicas = {"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "replicas": {"type": "integer", "format": "int32"}}}}}
    both["spec"]["versions"].append({"name": "v1", "served": True, "storage": False,
                                     "schema": {"openAPIV3Schema": replicas}})
    both["spec"]["versions"].append({"name": "v1alpha1", "served": True, "storage": False, "schema": {
        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}})
    t.host.create(k.CRDS, None, both)
    for version in ("v2", "v1", "v1alpha1"):
        discovered(t.host, f"rules.example.com/{version}/{plural}")
    for version, retain in (("", False), ("v2", False), ("v1", True), ("v1alpha1", False)):
        out = must(on_host(t, "enable", plural, "-o", "yaml", "--version", version)).stdout
        assert out.split("  targetType:")[1].split("---")[0].endswith(f"    version: {version or 'v2'}\n"), out[:600]
        expect("retainReplicas:" in out, retain, f"retainReplicas for version {version!r}")
        assert "              template:\n" in out, f"no template for version {version!r}"
    result = whole(on_host, t, "enable", plural, "--version", "v7")
    must_say(result, f'Unable to find api resource named "{plural}".')
    assert '"v7"' in result.stderr and f"{plural}.rules.example.com/v2" in result.stderr, result.stderr


@test()
def a_directive_is_read_from_stdin_and_its_other_documents_are_ignored(t):
    """1.10 and A-53."""
    text = ("apiVersion: anything/v1\nkind: Whatever\nunknown: 1\nmetadata: {name: cm}\n"
            "spec: {targetVersion: v1, more: 2}\n"
            "---\nmetadata: {name: secrets}\n")
    result = must(on_host(t, "enable", "ignored", "-f", "-", "-o", "yaml", "--version", "v9", "--federated-group",
                          "x.example.com",
                          stdin=text))
    for text in ("  name: configmaps\n", "federatedconfigmaps.types.kubefed.io"):
        assert text in result.stdout, result.stdout[:400]
    for text, error in (("spec: {}\n", "NAME is required"), ("", "NAME is required"),
                        ("metadata: {name: ''}\n", "NAME is required")):
        must_begin(on_host(t, "enable", "-f", "-", "-o", "yaml", stdin=text), error)


# ---- 3.6

@test()
def disable_checks_its_arguments(t):
    for arguments, text in ((("disable",), "NAME is required"), (("disable", ""), "NAME is required"),
                            (("disable", "x", "--version", "v1"), "--version flag valid only with --delete-crd"),
                            (("disable", "x", "--federated-group", "a.b"),
                             "--federated-group flag valid only with --delete-crd"),     # A-17
                            (("disable", "x", "--timeout", "-1s"), "--timeout cannot be negative")):
        must_say(run_ctl(t.env, *arguments, kubeconfig="/no/such/file"), text)
    expect(run_ctl(t.env, "disable", "x", "--timeout", "soon", kubeconfig=False).returncode, 1,
           "exit status of a bad time")


@test()
def disable_names_what_the_host_refuses(t):
    plane = t.plane("rules", "Cluster")
    gateways = Gateways(t, plane, H="host")
    _, plural = own_type(t)
    ns, ftc, federated = plane.namespace, f"{plural}.rules.example.com", f"federated{plural}.types.kubefed.io"
    must(plane.run_ctl("enable", plural))
    shown = f'"{ns}/{ftc}"'
    check_refusals(gateways, "H", (
        ("GET", f".*/federatedtypeconfigs/{ftc}", f"Error retrieving FederatedTypeConfig {shown}: "),
        ("PATCH", f".*/federatedtypeconfigs/{ftc}", f"Error disabling propagation for FederatedTypeConfig {shown}: "),
    ), "disable", ftc)
    t.host.patch(k.FTC, ns, ftc, {"status": {"observedGeneration": 1, "propagationController": "NotRunning",
                                             "statusController": "NotRunning"}}, "status")
    check_refusals(gateways, "H", (
        ("DELETE", f".*/customresourcedefinitions/{federated}", f'Error deleting crd "{federated}": '),
        ("DELETE", f".*/federatedtypeconfigs/{ftc}", f"Error deleting FederatedTypeConfig {shown}: "),
    ), "disable", ftc, "--delete-crd")


@test()
def disable_waits_as_long_as_it_is_told(t):
    """A-49: --timeout; the text stays, the cause only once."""
    plane = t.plane("rules", "Cluster")
    must(plane.run_ctl("enable", "endpointslices"))
    name = f'"{plane.namespace}/endpointslices.discovery.k8s.io"'
    result = plane.run_ctl("disable", "endpointslices", "--timeout", "300ms")
    must_say(result, f"Unable to verify propagation controller for FederatedTypeConfig {name} is stopped: {TIMED_OUT}")
    expect(result.stdout, f"Disabled propagation for FederatedTypeConfig {name}\n"
                          f"Verifying propagation controller is stopped for FederatedTypeConfig {name}\n", "stdout")
    assert "--timeout" in result.stderr and "The type stays disabled" in result.stderr, result.stderr
    # The second time there is nothing to disable.
    result = plane.run_ctl("disable", "endpointslices", "--timeout", "0s")
    expect(result.stdout, f"Verifying propagation controller is stopped for FederatedTypeConfig {name}\n", "stdout")


@test()
def disable_with_delete_crd_goes_on_without_typeconfig(t):
    plane = t.plane("rules", "Cluster")
    _, plural = own_type(t)
    must(plane.run_ctl("enable", plural))
    ftc, federated = f"{plural}.rules.example.com", f"federated{plural}.types.kubefed.io"
    t.host.delete(k.FTC, plane.namespace, ftc)
    missing = f'FederatedTypeConfig "{plane.namespace}/{ftc}" does not exist\n'
    expect(must(plane.run_ctl("disable", plural, "--delete-crd")).stdout,
           f'{missing}customresourcedefinition "{federated}" deleted\n', "stdout")
    t.gone(t.host, k.CRDS, None, federated)
    expect(must(plane.run_ctl("disable", plural, "--delete-crd")).stdout,
           f'{missing}customresourcedefinition "{federated}" does not exist\n', "stdout")
    expect(must(plane.run_ctl("disable", plural, "--dry-run")).stdout, missing, "stdout of a dry run")


# ---- 3.7, 3.8

@test()
def federate_checks_its_arguments_in_this_order(t):
    for arguments, text in (
            (("-o", "json", "-f", "x", "y"), "Invalid value for --output: json"),
            (("-f", "x", "a", "b"), "Flag '--filename' does not take any args. Got args: [a b]"),
            ((), "TYPE-NAME is required"), (("cm",), "RESOURCE-NAME is required"),
            (("cm", "-t", "-o", "yaml"), "RESOURCE-NAME is required"),
            (("cm", "x", "-t", "-o", "yaml"), "Flag '--enable-type' cannot be used with '--output [yaml]'"),
            (("-f", "/no/such.yaml"),
             'Failed to load yaml from file "/no/such.yaml": open /no/such.yaml: no such file or directory')):
        must_say(run_ctl(t.env, "federate", *arguments, kubeconfig="/no/such/file"), text)


@test()
def federate_names_what_is_missing_or_refused(t):
    plane = t.main()
    gateways = Gateways(t, plane, H="host")
    namespace = t.namespace(federate=False)
    t.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "c"}})
    command = ("federate", "cm", "c", "-n", namespace)
    must_say(whole(plane.run_ctl, "federate", "unicorn", "x"),
             'Failed to find target API resource unicorn: Unable to find api resource named "unicorn".')
    # No test enables this type in the shared control plane.
    must_say(plane.run_ctl("federate", "podtemplates", "x", "-n", namespace),
             'federatedtypeconfigs.core.kubefed.io "podtemplates" not found. '
             "Consider using '--enable-type' to optionally enable type while federating the resource")
    must_say(plane.run_ctl("federate", "cm", "nope", "-n", namespace),
             f'Error retrieving target ConfigMap "{namespace}/nope": configmaps "nope" not found')
    must_say(plane.run_ctl(*command, "-c"), "Flag '--contents' can only be used with type 'namespaces'.")
    check_refusals(gateways, "H", (
        ("GET", ".*/federatedtypeconfigs/configmaps", "Forbidden by the gateway"),
        ("GET", ".*/configmaps/c", f'Error retrieving target ConfigMap "{namespace}/c": '),
        ("POST", ".*/federatedconfigmaps", f'Error creating federated resource "{namespace}/c": '),
    ), *command)
    result = must(plane.run_ctl(*command))
    expect(result.stdout, "", "stdout")
    lines = result.stderr.splitlines()
    told = f'] Successfully created FederatedConfigMap "{namespace}/c" from ConfigMap'
    assert KLOG.match(lines[-1]) and lines[-1].endswith(told), result.stderr
    must_begin(plane.run_ctl(*command), f'Error creating federated resource "{namespace}/c": ')     # A-55


@test()
def contents_report_what_cannot_be_listed(t):
    """A-20: only "not found" and "method not allowed" count as nothing there."""
    plane = t.main()
    gateways = Gateways(t, plane, H="host")
    namespace = t.namespace(federate=False)
    t.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "c"}})
    command = ("federate", "namespace", namespace, "--contents", "-o", "yaml")
    gateways.of["H"].refuse = lambda m, p, _: 403 if p == f"/api/v1/namespaces/{namespace}/configmaps" else None
    must_begin(gateways.run(*command)[0], f'Error listing configmaps in namespace "{namespace}": ')
    gateways.of["H"].refuse = lambda m, p, _: 405 if p == f"/api/v1/namespaces/{namespace}/configmaps" else None
    expect("kind: FederatedConfigMap" in must(gateways.run(*command)[0]).stdout, False, "ConfigMap in the output")
    gateways.of["H"].refuse = lambda *_: None
    expect("kind: FederatedConfigMap" in must(gateways.run(*command)[0]).stdout, True, "ConfigMap in the output")


@test()
def a_file_without_documents_is_said_to_be_empty(t):
    for text in ("", "---\n", "# only a comment\n---\n\n---\n"):
        result = must(run_ctl(t.env, "federate", "-f", "-", kubeconfig=False, stdin=text))
        expect((result.stdout, result.stderr), ("", 'There is no document in "-": nothing was converted.\n'),
               f"output for {text!r}")
    result = must(run_ctl(t.env, "federate", "-f", "/dev/null", kubeconfig=False))
    expect((result.stdout, result.stderr), ("", 'There is no document in "/dev/null": nothing was converted.\n'),
           "output")


@test()
def orphaning_deletion_names_what_is_missing_or_refused(t):
    plane = t.main()
    gateways = Gateways(t, plane, H="host")
    namespace = t.namespace(federate=False)
    for verb in ("enable", "disable", "status"):
        must_say(run_ctl(t.env, "orphaning-deletion", verb, kubeconfig=False), "resource type is required")
        must_say(run_ctl(t.env, "orphaning-deletion", verb, "fcm", kubeconfig=False), "resource name is required")
    must_say(whole(plane.run_ctl, "orphaning-deletion", "status", "unicorn", "x"),
             'Failed to find targeted unicorn type: Unable to find api resource named "unicorn".')
    must_say(plane.run_ctl("orphaning-deletion", "status", "fcm", "nope", "-n", namespace),
             f'Failed to retrieve resource: "{namespace}/nope": federatedconfigmaps.types.kubefed.io "nope" not found')
    t.configmap(namespace, "c")
    check_refusals(gateways, "H", (
        ("PUT", ".*/federatedconfigmaps/c", f'Failed to update resource FederatedConfigMap "{namespace}/c": '),
    ), "orphaning-deletion", "enable", "fcm", "c", "-n", namespace)
    expect(plane.ctl("orphaning-deletion", "status", "fcm", "c", "-n", namespace), "Disabled\n", "status")


@test()
def orphaning_deletion_warns_on_stderr_about_other_types(t):
    """A-44: the output of status stays clean. A-43: a group of one's own is known by its FederatedTypeConfig."""
    plane = t.plane("rules", "Cluster")
    _, plural = own_type(t)
    namespace = t.namespace(federate=False)
    t.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "c"}})
    result = must(whole(plane.run_ctl, "orphaning-deletion", "status", "configmaps", "c", "-n", namespace))
    expect((result.stdout, result.stderr), ("Disabled\n", "Warning: configmaps/v1 might not be a federated resource\n"),
           "output")
    must(plane.run_ctl("enable", plural, "--federated-group", "fed.rules.example.com"))
    fed = f"fed.rules.example.com/v1beta1/federated{plural}"
    discovered(t.host, fed)
    t.host.create(fed, namespace,
                  {"kind": t.host.get(k.CRDS, None,
                                      f"federated{plural}.fed.rules.example.com")["spec"]["names"]["kind"],
                                   "metadata": {"name": "x"}, "spec": {}})
    result = must(whole(plane.run_ctl, "orphaning-deletion", "status", f"federated{plural}", "x", "-n", namespace))
    expect((result.stdout, result.stderr), ("Disabled\n", ""), "output for a group of one's own")


@test()
def orphaning_deletion_honours_dry_run_and_keeps_other_values(t):
    """A-02; 3.8 step 5: only exactly "true" is on, and disable leaves other values."""
    plane = t.plane("rules", "Cluster")
    _, plural = own_type(t)
    must(plane.run_ctl("enable", plural))
    namespace, fed = t.namespace(federate=False), f"{k.FED}{plural}"
    discovered(t.host, fed)
    kind = t.host.get(k.CRDS, None, f"federated{plural}.types.kubefed.io")["spec"]["names"]["kind"]
    t.host.create(fed, namespace,
                  {"kind": kind, "metadata": {"name": "x", "annotations": {"kubefed.io/orphan": "yes"}}, "spec": {}})

    def value():
        return (t.host.get(fed, namespace, "x")["metadata"].get("annotations") or {}).get("kubefed.io/orphan")

    def command(verb, *flags):
        return plane.ctl("orphaning-deletion", verb, f"federated{plural}", "x", "-n", namespace, *flags)
    expect((command("status"), command("disable"), value()), ("Disabled\n", "", "yes"), "with another value")
    out = command("enable", "--dry-run")
    assert out.endswith(" (dry run)\n"), out
    expect(value(), "yes", "value after a dry run")
    expect((command("enable"), value()), ("", "true"), "enabled")
    assert command("disable", "--dry-run").endswith(" (dry run)\n")
    expect(value(), "true", "value after a dry run")
    expect((command("disable"), value()), ("", None), "disabled")


# ---- dry runs, A-34

@test()
def dry_runs_print_the_same_lines_marked_and_what_they_would_write(t):
    plane = t.plane("rules", "Cluster")
    _, plural = own_type(t)
    ns, ftc, federated = plane.namespace, f"{plural}.rules.example.com", f"federated{plural}.types.kubefed.io"
    planned = must(plane.run_ctl("enable", plural, "--dry-run")).stdout
    lines = must(plane.run_ctl("enable", plural)).stdout.splitlines()
    expect(planned.splitlines()[:2], [line + " (dry run)" for line in lines], "lines of enable")
    expect(planned.split("\n", 2)[2], must(plane.run_ctl("enable", plural, "-o", "yaml")).stdout,
           "documents of the dry run")
    expect(must(plane.run_ctl("enable", plural, "--dry-run")).stdout.splitlines()[:2],
           [f"customresourcedefinition.apiextensions.k8s.io/{federated} updated (dry run)",
            f"federatedtypeconfig.core.kubefed.io/{ftc} updated in namespace {ns} (dry run)"], "lines when both exist")
    expect(must(plane.run_ctl("disable", ftc, "--delete-crd", "--dry-run")).stdout.splitlines(),
           [f'Disabled propagation for FederatedTypeConfig "{ns}/{ftc}" (dry run)',
            f'customresourcedefinition "{federated}" deleted (dry run)',
            f'federatedtypeconfig "{ns}/{ftc}" deleted (dry run)'], "lines of disable")
    must(plane.run_ctl("join", "member1", "--host-cluster-name", ns))
    for verb in ("join", "unjoin"):
        name = "member1" if verb == "unjoin" else "member2"
        out = must(plane.run_ctl(verb, name, "--host-cluster-name", ns, "--dry-run")).stdout
        told = out.split("---\n")[0].splitlines()
        assert len(told) >= 4 and all(line.endswith(" (dry run)") for line in told), out
    documents = out = must(plane.run_ctl("join", "member2", "--host-cluster-name", ns, "--dry-run", "--secret-name",
                                         "s")).stdout
    assert "kind: KubeFedCluster" in documents and f"apiEndpoint: {t.env.entry('member2')[0]}" in out, out
    assert "name: s\n" in out and "token:" not in out, out


# ---- output

@test()
def stdout_that_takes_nothing_is_an_error(t):
    for arguments in (("enable", "configmaps", "-o", "yaml", "--host-cluster-context", "host"), ("version",)):
        for redirect in (">/dev/full", ">&-"):
            result = subprocess.run(["sh", "-c", f'exec "$@" {redirect}', "sh", os.path.join(t.env.bin, "kubefedctl"),
                                     *arguments],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                                    stdin=subprocess.DEVNULL,
                                    env={**os.environ, "KUBECONFIG": t.env.kubeconfig})
            expect(result.returncode, 255, f"exit status of kubefedctl {arguments} {redirect}")
            assert "Error: cannot write the output" in result.stderr, result.stderr


@test()
def a_reader_that_goes_away_is_no_crash(t):
    path = write(t, "many.yaml",
                 "".join(f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{i}, namespace: x}}\n"
                                         f"data: {{a: {'x' * 1000}}}\n" for i in range(2000)))
    result = subprocess.run(["sh", "-c", '{ "$1" federate -f "$2"; echo $? >&2; } | head -c 100', "sh",
                             os.path.join(t.env.bin, "kubefedctl"), path], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE,
                            text=True, timeout=60, stdin=subprocess.DEVNULL)
    expect(len(result.stdout), 100, "bytes that were read")
    expect(result.stderr.splitlines()[-1], "255", f"exit status ({result.stderr})")
    assert "Error: cannot write the output" in result.stderr, result.stderr


# ---- 3.9

@test()
def version_has_the_shape_of_kubefed(t):
    result = must(run_ctl(t.env, "version", kubeconfig=False))
    pattern = (r'kubefedctl version: version\.Info\{Version:"v[^"]+", GitCommit:"[^"]*", GitTreeState:"[^"]*", '
               r'BuildDate:"(unknown|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", GoVersion:"[^"]*", '
               r'Compiler:"[^"]*", Platform:"\w+/\w+"\}\n')
    assert re.fullmatch(pattern, result.stdout), result.stdout
    expect(result.stderr, "", "stderr")
