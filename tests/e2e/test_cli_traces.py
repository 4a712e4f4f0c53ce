"""The requests of kubefedctl, one by one, against the traces of api-and-cli.md 9.2.

A trace is a list of lines as they are printed there. What kubefedctl does beyond it is listed with its reason and taken
out of what was seen; what it leaves out is listed with its reason and taken out of the trace. Then both must be equal.
"""
import json
import re
import time
import urllib.parse

from cli_cases import Gateways, discovered, kubeconfig, must, proxies, real, write
from harness import GADGET_SCHEMA, crd, eventually, expect, k, run_ctl, test

RBAC, CORE = "rbac.authorization.k8s.io/v1", "core.kubefed.io/v1beta1"
CRDS = "apiextensions.k8s.io/v1 customresourcedefinitions"
DISCOVERY = re.compile(r"/(api|apis)(/[^/]+){0,2}$")

# Reason: pattern of the lines that are added, whenever they come.
JOIN_ADDITIONS = {
    "asks for the rights that it will need, and later whether the token has them":
        r"[HM]: POST authorization.k8s.io/v1 selfsubjectaccessreviews$",
    "looks whether the control plane runs in a pod": r"H: GET apps/v1 \S+/deployments/kubefed-controller-manager$",
    "tries to reach the member as the control plane will": r"M: GET /version$",
}
UNJOIN_ADDITIONS = {
    "looks whether another registration uses the namespace (A-13)":
        rf"M: GET {RBAC} (\S+/rolebindings|clusterrolebindings)$",
    "looks whether the rights are those of another control plane (A-50)": rf"M: GET {RBAC} clusterrolebindings/\S+$",
    "looks whether the account is that of another registration (A-50)": r"M: GET v1 \S+/serviceaccounts/\S+$",
}
ENABLE_ADDITIONS = {
    "waits until the new type is served": r"H: GET types.kubefed.io/v1beta1 federated\w+$",
}


def line_of(request):
    """("H", "GET", "/api/v1/namespaces/x/secrets/y", ...) as 9.2 writes it: H: GET v1 x/secrets/y."""
    letter, method, path = request[:3]
    parts = urllib.parse.unquote(path).strip("/").split("/")
    if parts[0] not in ("api", "apis"):
        return f"{letter}: {method} {path}"
    split = 2 if parts[0] == "api" else 3
    version, rest = "/".join(parts[1:split]), parts[split:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[1:]
    return f"{letter}: {method} {version} {'/'.join(rest)}"


def lines_of(log, additions=None):
    lines = [line_of(r) for r in log if not (r[1] == "GET" and DISCOVERY.match(r[2]))]
    return [line for line in lines if not any(re.match(pattern, line) for pattern in (additions or {}).values())]


def compare(log, trace, additions=None, what="requests"):
    expect("\n".join(lines_of(log, additions)), "\n".join(trace), what)


def without(trace, reasons):
    """The trace without the lines that are left out: {reason: line}, each the last such line."""
    trace = list(trace)
    for line in reasons.values():
        del trace[len(trace) - 1 - trace[::-1].index(line)]
    return trace


def at_front(trace, after, line):
    """A line that comes earlier than in 9.2: moved behind the line `after`."""
    trace = without(trace, {"moved": line})
    trace.insert(trace.index(after) + 1, line)
    return trace


def member_names(plane, cluster="member1"):
    account = f"{cluster}-{plane.namespace}"
    return account, f"kubefed-controller-manager:{account}", \
        f"kubefed-controller-manager:{plane.namespace}:healthcheck-{account}"


def join_trace(plane, token_secret, rights):
    ns, account = plane.namespace, member_names(plane)[0]
    trace = [f"H: GET {CORE} {ns}/kubefedconfigs/kubefed", f"M: GET v1 {ns}/serviceaccounts/{account}",
             f"M: GET v1 namespaces/{ns}", "M: POST v1 namespaces", f"M: POST v1 {ns}/serviceaccounts"]
    for collection, name in rights:
        trace += [f"M: GET {RBAC} {collection}/{name}", f"M: POST {RBAC} {collection}"]
    trace += [f"M: GET v1 {ns}/serviceaccounts/{account}", f"M: GET v1 {ns}/secrets/{token_secret}",
              f"H: POST v1 {ns}/secrets", f"H: GET {CORE} {ns}/kubefedclusters/member1",
              f"H: POST {CORE} {ns}/kubefedclusters"]
    # Everything that can refuse is read before the first write.
    trace = at_front(trace, f"M: GET v1 {ns}/serviceaccounts/{account}", f"H: GET {CORE} {ns}/kubefedclusters/member1")
    trace.insert(trace.index(f"H: GET {CORE} {ns}/kubefedclusters/member1") + 1, f"M: GET v1 namespaces/{ns}")
    return trace


def once_repeated(log, additions=None):
    """Without repetitions: what is waited for is looked at again and again, with the additions between."""
    out = []
    for request in log:
        if any(re.match(pattern, line_of(request)) for pattern in (additions or {}).values()):
            continue
        if not out or request[:3] != out[-1][:3]:
            out.append(request)
    return out


def check_join(t, scope):
    plane = t.plane("trace", scope)
    gateways = Gateways(t, plane, H="host", M="member1")
    gateways.tokens_in_time("M")
    account, role, health = member_names(plane)
    ns = plane.namespace
    rights = [("clusterroles", role), ("clusterrolebindings", role)] if scope == "Cluster" else \
        [(f"{ns}/roles", role), (f"{ns}/rolebindings", role), ("clusterroles", health), ("clusterrolebindings", health)]
    result, log = gateways.run("join", "member1", "--host-cluster-name", ns)
    must(result)
    secret = eventually(lambda: t.member1.get(k.SERVICEACCOUNTS, ns, account)["secrets"][0]["name"])
    compare(once_repeated(log), join_trace(plane, secret, rights), JOIN_ADDITIONS, f"requests of join ({scope})")
    return plane, gateways


@test()
def join_in_cluster_scope(t):
    check_join(t, "Cluster")


@test()
def join_in_namespace_scope(t):
    check_join(t, "Namespaced")


@test()
def join_with_a_secret_name_looks_for_it_first(t):
    plane = t.plane("trace", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    result, log = gateways.run("join", "member1", "--host-cluster-name", plane.namespace, "--secret-name", "mine")
    must(result)
    lines = lines_of(log)
    get, post = (lines.index(f"H: {line}") for line in (f"GET v1 {plane.namespace}/secrets/mine",
                                                         f"POST v1 {plane.namespace}/secrets"))
    assert get < post, lines
    names = [json.dumps(s["metadata"]) for s in t.host.list(k.SECRETS, plane.namespace) if s["type"] == "Opaque"]
    expect(len(names), 1, f"Secrets in {names}")


@test()
def unjoin_asks_for_the_registration_first_and_cleans_the_member_then_the_host(t):
    plane = t.plane("trace", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    account, role, health = member_names(plane)
    ns = plane.namespace
    must(gateways.run("join", "member1", "--host-cluster-name", ns)[0])
    secret = plane.cluster("member1")["spec"]["secretRef"]["name"]
    result, log = gateways.run("unjoin", "member1", "--host-cluster-name", ns)
    must(result)
    trace = [f"M: DELETE {RBAC} clusterrolebindings/{role}", f"M: DELETE {RBAC} clusterroles/{role}",
             f"M: DELETE {RBAC} clusterrolebindings/{health}", f"M: DELETE {RBAC} clusterroles/{health}",
             f"M: DELETE {RBAC} {ns}/rolebindings/{role}", f"M: DELETE {RBAC} {ns}/roles/{role}",
             f"M: DELETE v1 {ns}/serviceaccounts/{account}",
             f"H: GET v1 namespaces/{ns}", f"M: GET v1 namespaces/{ns}", f"M: DELETE v1 namespaces/{ns}",
             f"H: GET {CORE} {ns}/kubefedclusters/member1", f"H: DELETE v1 {ns}/secrets/{secret}",
             f"H: DELETE {CORE} {ns}/kubefedclusters/member1"]
    looked_up = f"H: GET {CORE} {ns}/kubefedclusters/member1"
    compare(log, [looked_up] + without(trace, {"moved to the front": looked_up}), UNJOIN_ADDITIONS,
            "requests of unjoin")


def check_enable(t, plane, name, ftc, federated, before):
    """before: how the schema of the target is found."""
    gateways = Gateways(t, plane, H="host")
    configs = f"{CORE} {plane.namespace}/federatedtypeconfigs"
    found = [f"H: GET v1 namespaces/{plane.namespace}", f"H: GET {configs}/{ftc}", f"H: GET {configs}",
             f"H: GET {CRDS}/{federated}"]
    # 9.2 lists the FederatedTypeConfigs only when the CRD exists; here always. It reads the one at hand a second
    # time before it writes it; here it does not. At the end the CRD is read until it is established.
    established = [f"H: GET {CRDS}/{federated}"]
    result, log = gateways.run("enable", name)
    must(result)
    compare(once_repeated(log, ENABLE_ADDITIONS), before + found + [f"H: POST {CRDS}", f"H: POST {configs}"] + established,
            ENABLE_ADDITIONS, f"requests of the first enable {name}")
    t.host.patch(k.FTC, plane.namespace, ftc, {"spec": {"propagation": "Disabled"}})
    result, log = gateways.run("enable", name)
    must(result)
    compare(once_repeated(log, ENABLE_ADDITIONS),
            before + found + [f"H: PUT {CRDS}/{federated}", f"H: PATCH {configs}/{ftc}"] + established,
            ENABLE_ADDITIONS, f"requests of the second enable {name}")
    # Nothing differs any more: no PATCH.
    result, log = gateways.run("enable", name)
    expect([line for line in lines_of(log) if "PATCH" in line], [], "PATCH of an unchanged FederatedTypeConfig")
    return gateways


@test()
def enable_of_a_core_type(t):
    plane = t.plane("trace", "Cluster")
    check_enable(t, plane, "replicationcontrollers", "replicationcontrollers",
                 "federatedreplicationcontrollers.types.kubefed.io", ["H: GET /openapi/v2"])


@test()
def enable_of_a_type_in_a_group(t):
    plane = t.plane("trace", "Cluster")
    check_enable(t, plane, "horizontalpodautoscalers", "horizontalpodautoscalers.autoscaling",
                 "federatedhorizontalpodautoscalers.types.kubefed.io",
                 [f"H: GET {CRDS}/horizontalpodautoscalers.autoscaling", "H: GET /openapi/v2"])


def own_type(t):
    """A CRD of the test's own on the host: (kind, plural)."""
    number = t.env.number("tracegadget")
    kind, plural = f"Tracegadget{number}", f"tracegadget{number}s"
    t.host.create(k.CRDS, None, crd("trace.example.com", "v1", plural, kind, GADGET_SCHEMA))
    discovered(t.host, f"trace.example.com/v1/{plural}")
    return kind, plural


@test()
def enable_of_a_type_that_a_crd_defines_reads_no_openapi(t):
    plane = t.plane("trace", "Cluster")
    _, plural = own_type(t)
    check_enable(t, plane, plural, f"{plural}.trace.example.com", f"federated{plural}.types.kubefed.io",
                 [f"H: GET {CRDS}/{plural}.trace.example.com"])


@test()
def enable_to_yaml_asks_only_for_the_schema(t):
    plane = t.plane("trace", "Cluster")
    result, log = Gateways(t, plane, H="host").run("enable", "deployments.apps", "-o", "yaml")
    must(result)
    compare(log, [f"H: GET {CRDS}/deployments.apps", "H: GET /openapi/v2"])


@test()
def disable_with_delete_crd(t):
    plane = t.plane("trace", "Namespaced")
    plane.start()
    _, plural = own_type(t)
    plane.add_type("v1/namespaces", namespaced=False, fed_scope="Namespaced")
    gateways = Gateways(t, plane, H="host")
    must(gateways.run("enable", plural)[0])
    ftc, federated = f"{plural}.trace.example.com", f"federated{plural}.types.kubefed.io"
    plane.wait_running(ftc)
    result, log = gateways.run("disable", ftc, "--delete-crd", "--timeout", "3m", timeout=240)
    must(result)
    one = f"{CORE} {plane.namespace}/federatedtypeconfigs/{ftc}"
    all_instances = f"types.kubefed.io/v1beta1 federated{plural}"
    compare(once_repeated(log), [
        f"H: GET {one}", f"H: GET {all_instances}", f"H: PATCH {one}", f"H: GET {one}", f"H: GET {all_instances}",
        f"H: DELETE {CRDS}/{federated}", f"H: DELETE {one}"])


@test()
def federate_and_orphaning_deletion(t):
    plane = t.main()
    namespace = t.namespace(federate=False)
    t.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "c"}, "data": {"a": "b"}})
    gateways = Gateways(t, plane, H="host")
    result, log = gateways.run("federate", "configmaps", "c", "-n", namespace)
    must(result)
    fed = f"types.kubefed.io/v1beta1 {namespace}/federatedconfigmaps"
    compare(log,
            [f"H: GET {CORE} {plane.namespace}/federatedtypeconfigs/configmaps", f"H: GET v1 {namespace}/configmaps/c",
                  f"H: POST {fed}"])
    for verb, trace in (("enable", [f"H: GET {fed}/c", f"H: PUT {fed}/c"]), ("enable", [f"H: GET {fed}/c"]),
                        ("status", [f"H: GET {fed}/c"]), ("disable", [f"H: GET {fed}/c", f"H: PUT {fed}/c"])):
        # The controller manager writes the object, too: a conflict is an error and is not retried (3.8).
        def command(verb=verb):
            result, log = gateways.run("orphaning-deletion", verb, "federatedconfigmaps", "c", "-n", namespace)
            assert result.returncode == 0, result.stderr
            return log
        compare(eventually(command), trace, what=f"requests of orphaning-deletion {verb}")


@test()
def a_federated_type_that_is_not_served_yet_is_tried_again_every_second(t):
    """3.7 step 8: a 404 is retried every second, at most for 10 s."""
    plane = t.plane("trace", "Cluster")
    _, plural = own_type(t)
    plane.add_type(f"trace.example.com/v1/{plural}")
    namespace = t.namespace(federate=False)
    t.host.create(f"trace.example.com/v1/{plural}", namespace, {"metadata": {"name": "x"}, "data": {"a": "b"}})
    gateways = Gateways(t, plane, H="host")
    tries = []
    gateways.of["H"].refuse = lambda method, *_: tries.append(time.monotonic()) if method == "POST" else None
    began = time.monotonic()
    result, log = gateways.run("federate", plural, "x", "-n", namespace)
    seconds = time.monotonic() - began
    expect(result.returncode, 255, "exit status")
    assert f'Error: Error creating federated resource "{namespace}/x": ' in result.stderr, result.stderr
    posts = [line for line in lines_of(log) if line.startswith("H: POST")]
    expect(len(posts), len(tries), "tries that are creations")
    # The second is between an answer and the next try. On a busy machine answers take long, but not all of them.
    pauses = [later - earlier for earlier, later in zip(tries, tries[1:])]
    assert seconds >= 10 and min(pauses) > 0.5, f"tries with {pauses} s between within {seconds:.1f} s"
    assert len(tries) <= 12 and min(pauses) < 2, f"tries with {pauses} s between within {seconds:.1f} s"


@test()
def federate_files_and_help_ask_no_cluster(t):
    plane = t.plane("trace", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    path = write(t, "c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")
    for arguments in (("federate", "-f", path), ("join", "--help"), ("enable",)):
        expect(gateways.run(*arguments)[1], [], f"requests of kubefedctl {arguments}")


@test()
def dry_runs_send_nothing_but_questions(t):
    plane = t.plane("trace", "Cluster")
    gateways = Gateways(t, plane, H="host", M="member1")
    ns = plane.namespace
    must(plane.run_ctl("enable", "poddisruptionbudgets"))
    must(plane.run_ctl("join", "member1", "--host-cluster-name", ns))
    before = t.host.list(k.FTC, ns), t.host.list(k.KFC, ns)
    for arguments in (("join", "member2", "--cluster-context", "member1", "--host-cluster-name", ns),
                      ("unjoin", "member1", "--host-cluster-name", ns), ("enable", "resourcequotas"),
                      ("disable", "poddisruptionbudgets.policy", "--delete-crd"),
                      ("federate", "configmap", "kube-root-ca.crt", "-n", "default", "--enable-type")):
        result, log = gateways.run(*arguments, "--dry-run")
        must(result)
        writes = [line for line in lines_of(log, JOIN_ADDITIONS) if not line[3:].startswith("GET ")]
        expect(writes, [], f"writes of kubefedctl {arguments}")
    expect((t.host.list(k.FTC, ns), t.host.list(k.KFC, ns)), before, "what is there")


@test()
def content_types_are_those_of_the_kinds_of_request(t):
    """JSON for objects, application/merge-patch+json for merge patches (9.2)."""
    plane = t.plane("trace", "Cluster")
    server, ca, token = real(t, "host")
    authority = proxies.Authority(f"{t.env.folder}/{t.unique('authority')}")
    gateway = Typed(t.env.apis["host"], ca, authority.certificate("gateway"))
    t.cleanup(gateway.close)
    config = kubeconfig(t, {"host": (gateway.endpoint, authority.ca, token)}, "host")
    for _ in range(2):
        must(run_ctl(t.env, "enable", "controllerrevisions", "--kubefed-namespace", plane.namespace, kubeconfig=config))
        t.host.patch(k.FTC, plane.namespace, "controllerrevisions.apps", {"spec": {"propagation": "Disabled"}})
    types = {method: found for method, found in gateway.types.items() if method != "GET"}
    expect(types,
           {"POST": {"application/json"}, "PUT": {"application/json"}, "PATCH": {"application/merge-patch+json"}},
           "content types")


class Typed(proxies.Gateway):
    """A gateway that notes the content types: {method: {type}}."""

    def __init__(self, *arguments):
        self.types = {}
        super().__init__(*arguments)

    def serve(self, handler, body):
        self.types.setdefault(handler.command, set()).add(handler.headers.get("Content-Type"))
        super().serve(handler, body)
