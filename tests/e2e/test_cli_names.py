"""How kubefedctl finds types by the names that people type, and what it does when discovery fails (1.9.3)."""
import os

from cli_cases import Gateways, discovered, error_of, kubeconfig, must, must_begin, must_say, whole
from harness import GADGET_SCHEMA, crd, eventually, expect, k, run_ctl, test


def enabled(t, name, *flags):
    """The name of the FederatedTypeConfig that enable -o yaml makes for this name."""
    out = must(run_ctl(t.env, "enable", name, "-o", "yaml", "--host-cluster-context", "host", *flags)).stdout
    return out.split("metadata:\n  name: ", 1)[1].split("\n", 1)[0]


def make_type(t, group, kind, plural, singular, short_names=(), versions=("v1",)):
    obj = crd(group, versions[0], plural, kind, GADGET_SCHEMA)
    obj["spec"]["names"].update(singular=singular, shortNames=list(short_names))
    first = obj["spec"]["versions"][0]
    obj["spec"]["versions"] += [{**first, "name": version, "storage": False} for version in versions[1:]]
    t.host.create(k.CRDS, None, obj)
    for version in versions:
        discovered(t.host, f"{group}/{version}/{plural}")


@test()
def every_kind_of_name_is_understood(t):
    for names, found in ((("deployments", "Deployment", "deployment", "deploy", "deployments.apps", "DEPLOYMENTS",
                           "Deploy",
                           "Deployments.APPS"), "deployments.apps"),
                         (("configmaps", "ConfigMap", "cm", "CM"), "configmaps"),
                         (("ns", "namespace", "Namespaces"), "namespaces"),
                         (("clusterroles.rbac.authorization.k8s.io", "clusterrole"),
                          "clusterroles.rbac.authorization.k8s.io")):
        for name in names:
            expect(enabled(t, name), found, f"type of {name}")


@test()
def singular_and_short_names_of_a_crd_are_understood(t):
    make_type(t, "names.example.com", "Ox", "oxen", "oneox", ["oxs"])
    for name in ("oxen", "oneox", "ox", "Ox", "oxs", "OXS", "oxen.names.example.com"):
        expect(enabled(t, name), "oxen.names.example.com", f"type of {name}")
    out = must(run_ctl(t.env, "enable", "ox", "-o", "yaml", "--host-cluster-context", "host")).stdout
    # The federated plural is a prefix on the plural, nothing is derived; short names get an f.
    for line in ("    kind: FederatedOx\n", "    pluralName: federatedoxen\n",
                 "  name: federatedoxen.types.kubefed.io\n",
                 "    - foxs\n", "    plural: federatedoxen\n"):
        assert line in out, f"{line!r} is not in {out[:1500]}"
    assert "singular" not in out, out[:1500]


@test()
def other_spellings_are_not_understood(t):
    for name in ("deployments.extensions", "deploy.apps", "deployments.v9.apps", "apps/deployments", "deploymentss",
                 "deployments/status", " "):
        must_say(whole(run_ctl, t.env, "enable", name, "--host-cluster-context", "host"),
                 f'Unable to find api resource named "{name}".')


@test()
def qualified_singulars_and_versions_are_understood(t):
    """The user guide's enable deployment.apps, which KubeFed does not find."""
    for name in ("deployment.apps", "Deployment.apps", "deployments.v1.apps"):
        expect(enabled(t, name), "deployments.apps", f"type of {name}")


@test()
def the_core_group_wins_and_other_groups_are_ambiguous(t):
    expect(enabled(t, "events"), "events", "type of events")
    expect(enabled(t, "events.events.k8s.io"), "events.events.k8s.io", "type of events.events.k8s.io")
    for group in ("b.ambiguous.example.com", "a.ambiguous.example.com"):
        make_type(t, group, "Calf", "calves", "calf", ["clf"])
    for key in ("calves", "calf", "Calf", "clf"):
        errors = {error_of(run_ctl(t.env, verb, key, *more, "--host-cluster-context", "host"))
                  for verb, more in (("enable", ()), ("disable", ()))}
        expect(errors, {f'Multiple resources are matched by "{key}": calves.a.ambiguous.example.com, '
                        "calves.b.ambiguous.example.com. A group-qualified plural name must be provided."},
               f"errors for {key}")
    expect(enabled(t, "calves.b.ambiguous.example.com"), "calves.b.ambiguous.example.com", "type of the qualified name")


@test()
def the_preferred_version_is_taken(t):
    make_type(t, "versions.example.com", "Hen", "hens", "hen", versions=("v1beta1", "v2", "v1"))
    out = must(run_ctl(t.env, "enable", "hens", "-o", "yaml", "--host-cluster-context", "host")).stdout
    assert out.split("  targetType:")[1].split("---")[0].endswith("    version: v2\n"), out[:600]


@test()
def a_group_that_cannot_be_read_is_a_warning_when_the_type_is_found(t):
    plane = t.plane("names", "Cluster")
    gateways = Gateways(t, plane, H="host")
    gateways.of["H"].refuse = lambda m, path, _: 503 if path == "/apis/policy/v1beta1" else None
    result, log = gateways.run("enable", "configmaps", "-o", "yaml")
    assert must(result).stdout.startswith("---\napiVersion: core.kubefed.io"), result.stdout[:300]
    warnings = [line for line in result.stderr.splitlines() if line.startswith("W")]
    assert len(warnings) == 1 and "/apis/policy/v1beta1" in warnings[0], result.stderr
    # 3.1: what could not be read is tried once more.
    expect(len([r for r in log if r[2] == "/apis/policy/v1beta1"]), 2, "requests for the group")
    error = error_of(gateways.run("enable", "unicorns")[0])
    assert error.startswith("[") and "/apis/policy/v1beta1" in error and \
        error.endswith(', Unable to find api resource named "unicorns".]'), error
    # A moment's trouble is no trouble. (Groups that other tests just make may give more of it.)

    def troubled_once():
        answers = iter([503])
        gateways.of["H"].refuse = lambda m, path, _: next(answers, None) if path == "/apis/policy/v1beta1" else None
        expect(must(gateways.run("enable", "configmaps", "-o", "yaml")[0]).stderr, "", "stderr after a retry")
    eventually(troubled_once)


def down_service(t, group):
    """An aggregated API whose service does not exist."""
    name = f"v1.{group}"
    t.host.create("apiregistration.k8s.io/v1/apiservices", None,
                  {"kind": "APIService", "metadata": {"name": name}, "spec": {
        "group": group, "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10,
        "insecureSkipTLSVerify": True,
        "service": {"namespace": "default", "name": "nobody"}}})
    t.cleanup(lambda: t.host.delete("apiregistration.k8s.io/v1/apiservices", None, name, missing_ok=True))

    def listed():
        groups = [g["name"] for g in t.host.call("GET", "/apis")["groups"]]
        assert group in groups, groups
    eventually(listed)


@test(alone=True)
def an_apiservice_that_is_down_stops_nobody(t):
    """A-42: contents, too, are federated with a warning."""
    plane = t.plane("names", "Cluster")
    namespace = t.namespace(federate=False)
    t.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "c"}, "data": {"a": "b"}})
    down_service(t, "down.example.com")
    result = must(plane.run_ctl("enable", "configmaps", "-o", "yaml"))
    assert "down.example.com" in result.stderr, result.stderr
    error = must_begin(plane.run_ctl("enable", "unicorns"), "[")
    assert "down.example.com" in error and error.endswith(', Unable to find api resource named "unicorns".]'), error
    result = must(plane.run_ctl("federate", "namespace", namespace, "--contents", "-o", "yaml"))
    assert "kind: FederatedNamespace" in result.stdout and "kind: FederatedConfigMap" in result.stdout, result.stdout
    assert "down.example.com" in result.stderr, result.stderr


# ---- --contents

def contents(t, plane, namespace, *flags):
    """[(kind, name)] of what federate --contents would make, in its order."""
    out = must(plane.run_ctl("federate", "ns", namespace, "-c", "-o", "yaml", *flags)).stdout
    found = []
    for document in out.split("---\n")[1:]:
        lines = document.splitlines()
        found.append((lines[1].removeprefix("kind: Federated"),
                      lines[lines.index("metadata:") + 1].removeprefix("  name: ")))
    return found


def fill(t, namespace):
    """Objects of people, of controllers, and of Kubernetes itself."""
    owner = t.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    t.host.create(k.CONFIGMAPS, namespace,
                  {"metadata": {"name": "controlled", "ownerReferences": [{**reference, "controller": True}]}})
    t.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
    t.host.create(k.SECRETS, namespace, {"metadata": {"name": "mine"}, "data": {"a": "Yg=="}})
    t.host.create(k.SERVICEACCOUNTS, namespace, {"metadata": {"name": "robot"}})
    t.host.create(k.ROLES, namespace, {"metadata": {"name": "role:with:colons"}, "rules": []})
    t.host.create(k.ROLES, namespace, {"metadata": {"name": "plain"}, "rules": []})
    t.host.create("v1/endpoints", namespace, {"kind": "Endpoints", "metadata": {"name": "points"}})
    t.host.create("networking.k8s.io/v1/ingresses", namespace, {"kind": "Ingress", "metadata": {"name": "in"}, "spec": {
        "defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}})
    eventually(lambda: t.host.get(k.SERVICEACCOUNTS, namespace, "robot")["secrets"])
    eventually(lambda: t.host.get(k.CONFIGMAPS, namespace, "kube-root-ca.crt"))
    eventually(lambda: t.host.get(k.SERVICEACCOUNTS, namespace, "default")["secrets"])


ALL = [("Namespace", None), ("ConfigMap", "owned"), ("ConfigMap", "owner"), ("Secret", "mine"),
       ("ServiceAccount", "robot"),
       ("Ingress", "in"), ("Role", "plain")]


@test()
def contents_are_what_people_made_in_a_fixed_order(t):
    """A-18: nothing that a controller owns, no token Secrets, nothing that Kubernetes makes in every namespace.

    A-54: by group, type and name. Names that are no DNS names are left out with a warning; group extensions
    and endpoints always."""
    plane = t.main()
    namespace = t.namespace(federate=False)
    fill(t, namespace)
    expect(contents(t, plane, namespace), [(kind, name or namespace) for kind, name in ALL], "contents")
    result = must(plane.run_ctl("federate", "ns", namespace, "-c", "-o", "yaml"))
    assert f'Skipping Role "{namespace}/role:with:colons"' in result.stderr, result.stderr
    # Federated objects are not federated again, whatever their group is.
    t.configmap(namespace, "fed")
    expect(contents(t, plane, namespace), [(kind, name or namespace) for kind, name in ALL],
           "contents with a federated object")


@test()
def types_and_groups_can_be_skipped(t):
    """A-56: groups exactly as written, types by every name."""
    plane = t.main()
    namespace = t.namespace(federate=False)
    fill(t, namespace)
    everything = [(kind, name or namespace) for kind, name in ALL]
    for flags, gone in ((("-s", "cm,Secret"), ("ConfigMap", "Secret")),
                        (("-s", "cm", "-s", "secrets,,"), ("ConfigMap", "Secret")),
                        (("--skip-api-resources=rbac.authorization.k8s.io",), ("Role",)),
                        (("-s", "RBAC.authorization.k8s.io"), ()),
                        (("-s", "ingresses.networking.k8s.io"), ("Ingress",)),
                        (("-s", "ingress,SA"), ("Ingress", "ServiceAccount")),
                        (("-s", "roles.v1.rbac.authorization.k8s.io"), ())):
        expect(contents(t, plane, namespace, *flags), [e for e in everything if e[0] not in gone],
               f"contents with {flags}")


@test()
def contents_need_types_that_are_enabled(t):
    plane = t.main()
    namespace = t.namespace(federate=False)
    t.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "c"}})
    t.host.create(k.ROLES, namespace, {"metadata": {"name": "r"}, "rules": []})
    must_say(plane.run_ctl("federate", "ns", namespace, "-c"),
             'federatedtypeconfigs.core.kubefed.io "roles.rbac.authorization.k8s.io" not found. '
             "Consider using '--enable-type' to optionally enable type while federating the resource")
    expect(t.host.list(f"{k.FED}configmaps", namespace), [],
           "federated objects: all is read before the first is written")
    result = must(plane.run_ctl("federate", "ns", namespace, "-c", "-s", "roles"))
    expect(result.stdout, "", "stdout")
    # Repeated, it stops at what exists.
    must_begin(plane.run_ctl("federate", "ns", namespace, "-c", "-s", "roles"),
               f'Error creating federated resource "{namespace}/{namespace}": ')


@test()
def the_namespace_of_the_context_is_the_default(t):
    """3.7, 3.8: -n, else the namespace of the host's context, else default."""
    plane = t.main()
    namespace = t.namespace(federate=False)
    for where, text in ((namespace, "here"), ("default", "there")):
        t.host.create(k.CONFIGMAPS, where, {"metadata": {"name": f"greet-{namespace}"}, "data": {"at": text}})
    server, ca = t.env.entry("host")
    path = kubeconfig(t, {"host": (server, ca, t.env.admin_token("host"))}, "host")
    with open(path) as f:
        text = f.read()
    inside = os.path.join(t.env.folder, t.unique("inside") + ".json")
    with open(inside, "w") as f:
        f.write(text.replace('"cluster": "host"', f'"namespace": "{namespace}", "cluster": "host"'))
    for config, flags, at in ((path, (), "there"), (inside, (), "here"), (inside, ("-n", "default"), "there"),
                              (path, ("--namespace", namespace), "here")):
        result = must(run_ctl(t.env, "federate", "cm", f"greet-{namespace}", "-o", "yaml", "--kubefed-namespace",
                              plane.namespace,
                              *flags, kubeconfig=config))
        assert f"      at: {at}\n" in result.stdout, f"{flags}: {result.stdout}"
    t.configmap(namespace, "o")
    result = must(run_ctl(t.env, "orphaning-deletion", "status", "fcm", "o", kubeconfig=inside))
    expect(result.stdout, "Disabled\n", "status")
