"""enable and disable: federated types come and go (api-and-cli.md 1.9, 3.4 to 3.6)."""
import json
import os
import subprocess

from harness import GADGET_SCHEMA, crd, eventually, expect, k, run_ctl, test


def parsed(t, yaml):
    """The documents of kubefedctl's YAML; kubectl reads it, without asking a server."""
    documents = []
    for text in yaml.split("---\n")[1:]:
        out = subprocess.run(["kubectl", "--kubeconfig", t.env.kubeconfig, "--context", "host", "create",
                              "--dry-run=client", "--validate=false", "-o", "json", "-f", "-"],
                             input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert out.returncode == 0, f"{out.stderr}\n{text}"
        documents.append(json.loads(out.stdout))
    return documents


def add_type(t, group, plural, kind, schema=GADGET_SCHEMA):
    """A type on the host that kubefedctl finds: an API server lists what it serves a moment after it serves it."""
    t.host.create(k.CRDS, None, crd(group, "v1", plural, kind, schema))

    def listed():
        expect(group in [g["name"] for g in t.host.call("GET", "/apis")["groups"]], True, f"group {group} in /apis")
        resources = t.host.call("GET", f"/apis/{group}/v1")["resources"]
        expect(plural in [r["name"] for r in resources], True, f"{plural} in /apis/{group}/v1")
        t.host.list(f"{group}/v1/{plural}")
    eventually(listed)


def must_fail(result, *texts):
    expect(result.returncode, 255, f"exit status ({result.stdout}{result.stderr})")
    for text in ("Error: ", *texts):
        assert text in result.stderr, f"{text!r} is not in: {result.stderr}"


DEPLOYMENTS_FTC = """---
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata:
  name: deployments.apps
spec:
  federatedType:
    group: types.kubefed.io
    kind: FederatedDeployment
    pluralName: federateddeployments
    scope: Namespaced
    version: v1beta1
  propagation: Enabled
  targetType:
    group: apps
    kind: Deployment
    pluralName: deployments
    scope: Namespaced
    version: v1
---
"""


@test(smoke=True)
def output_yaml_is_the_documented_one(t):
    result = run_ctl(t.env, "enable", "deployments.apps", "-o", "yaml", "--host-cluster-context", "host",
                     "--kubefed-namespace", "no-such-namespace")
    expect(result.returncode, 0, f"exit status ({result.stderr})")
    assert result.stdout.startswith(DEPLOYMENTS_FTC), result.stdout[:700]
    _, definition = parsed(t, result.stdout)
    expect(definition["metadata"]["name"], "federateddeployments.types.kubefed.io", "name of the CRD")
    spec = definition["spec"]
    expect(spec["names"], {"kind": "FederatedDeployment", "plural": "federateddeployments", "shortNames": ["fdeploy"]},
           "names")
    version = spec["versions"][0]
    expect((version["name"], version["served"], version["storage"], version["subresources"]),
           ("v1beta1", True, True, {"status": {}}), "version")
    schema = version["schema"]["openAPIV3Schema"]
    expect(schema["required"], ["spec"], "required")
    properties = schema["properties"]["spec"]["properties"]
    expect(sorted(properties), ["overrides", "placement", "retainReplicas", "template"], "fields of spec")
    expect(properties["template"], {"type": "object", "x-kubernetes-preserve-unknown-fields": True}, "template")
    override = properties["overrides"]["items"]["properties"]["clusterOverrides"]["items"]
    expect(override["properties"]["op"]["pattern"], "^(add|remove|replace)?$", "pattern of op")
    expect(override["required"], ["path"], "required of an override")
    expect(sorted(schema["properties"]["status"]["properties"]), ["clusters", "conditions", "observedGeneration"],
           "fields of status")


@test()
def core_types_have_no_group_and_no_retain_replicas(t):
    result = run_ctl(t.env, "enable", "cm", "-o", "yaml", "--host-cluster-context", "host")
    expect(result.returncode, 0, f"exit status ({result.stderr})")
    ftc, definition = parsed(t, result.stdout)
    assert "group" not in ftc["spec"]["targetType"], ftc
    properties = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    expect(sorted(properties), ["overrides", "placement", "template"], "fields of spec")
    expect(definition["spec"]["names"]["shortNames"], ["fcm"], "short names")


@test()
def the_federated_namespace_is_namespaced(t):
    result = run_ctl(t.env, "enable", "namespaces", "-o", "yaml", "--host-cluster-context", "host")
    ftc, definition = parsed(t, result.stdout)
    expect((ftc["spec"]["targetType"]["scope"], ftc["spec"]["federatedType"]["scope"]), ("Cluster", "Namespaced"), "scopes")
    expect(definition["spec"]["scope"], "Namespaced", "scope of the CRD")


@test(smoke=True)
def enable_creates_crd_and_typeconfig(t):
    plane = t.plane("enable", "Cluster")
    out = plane.ctl("enable", "statefulsets")
    expect(out, "customresourcedefinition.apiextensions.k8s.io/federatedstatefulsets.types.kubefed.io created\n"
                f"federatedtypeconfig.core.kubefed.io/statefulsets.apps created in namespace {plane.namespace}\n", "stdout")
    ftc = t.host.get(k.FTC, plane.namespace, "statefulsets.apps")
    expect(ftc["spec"]["federatedType"]["kind"], "FederatedStatefulSet", "federated kind")
    eventually(lambda: t.host.list(k.FED + "statefulsets"))
    out = plane.ctl("enable", "sts")
    expect(out, "customresourcedefinition.apiextensions.k8s.io/federatedstatefulsets.types.kubefed.io updated\n"
                f"federatedtypeconfig.core.kubefed.io/statefulsets.apps updated in namespace {plane.namespace}\n",
           "stdout of the second time")


@test()
def enable_again_switches_propagation_on_and_keeps_the_rest(t):
    plane = t.plane("enable", "Cluster")
    plane.ctl("enable", "podtemplates")
    t.host.patch(k.FTC, plane.namespace, "podtemplates", {"spec": {"propagation": "Disabled", "statusCollection": "Enabled"}})
    plane.ctl("enable", "podtemplates")
    spec = t.host.get(k.FTC, plane.namespace, "podtemplates")["spec"]
    expect(spec["propagation"], "Enabled", "propagation")
    expect(spec.get("statusCollection"), "Enabled", "statusCollection")


@test()
def the_same_type_can_be_named_in_many_ways(t):
    for name in ("deployments", "Deployment", "deploy", "deployments.apps", "DEPLOYMENTS"):
        result = run_ctl(t.env, "enable", name, "-o", "yaml", "--host-cluster-context", "host")
        expect(result.returncode, 0, f"exit status for {name} ({result.stderr})")
        assert "  name: deployments.apps\n" in result.stdout, result.stdout[:300]


@test()
def unknown_and_ambiguous_types_are_named(t):
    result = run_ctl(t.env, "enable", "unicorns", "--host-cluster-context", "host")
    must_fail(result, 'Unable to find api resource named "unicorns".')
    result = run_ctl(t.env, "enable", "", "--host-cluster-context", "host")
    must_fail(result, "NAME is required")
    kind = "Twin" + str(t.env.number("twin"))
    plural = kind.lower() + "s"
    for group in ("a.twins.example.com", "b.twins.example.com"):
        add_type(t, group, plural, kind)
    result = run_ctl(t.env, "enable", plural, "--host-cluster-context", "host", "-o", "yaml")
    must_fail(result, f'Multiple resources are matched by "{plural}"', f"{plural}.a.twins.example.com",
              f"{plural}.b.twins.example.com", "A group-qualified plural name must be provided.")
    result = run_ctl(t.env, "enable", f"{plural}.b.twins.example.com", "--host-cluster-context", "host", "-o", "yaml")
    expect(result.returncode, 0, f"exit status ({result.stderr})")


@test()
def two_groups_cannot_share_one_federated_crd(t):
    plane = t.plane("enable", "Cluster")
    kind = "Twin" + str(t.env.number("twin"))
    plural = kind.lower() + "s"
    for group in ("a.twins.example.com", "b.twins.example.com"):
        add_type(t, group, plural, kind)
    plane.ctl("enable", f"{plural}.a.twins.example.com")
    must_fail(plane.run_ctl("enable", f"{plural}.b.twins.example.com"), "already referencing a federated type CRD",
              "--federated-group")
    plane.ctl("enable", f"{plural}.b.twins.example.com", "--federated-group", "fed.twins.example.com")
    ftc = t.host.get(k.FTC, plane.namespace, f"{plural}.b.twins.example.com")
    expect(ftc["spec"]["federatedType"]["group"], "fed.twins.example.com", "federated group")
    must_fail(plane.run_ctl("enable", f"{plural}.b.twins.example.com", "--federated-group", "other.twins.example.com"),
              "Changing the federated type", "is not supported")


@test()
def a_crd_with_an_open_schema_still_gets_a_template(t):
    kind = "Open" + str(t.env.number("open"))
    plural = kind.lower() + "s"
    add_type(t, "open.example.com", plural, kind, {"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    result = run_ctl(t.env, "enable", plural, "-o", "yaml", "--host-cluster-context", "host")
    expect(result.returncode, 0, f"exit status ({result.stderr})")
    assert "template:" in result.stdout, result.stdout


@test()
def a_missing_system_namespace_is_named(t):
    result = run_ctl(t.env, "enable", "endpoints", "--host-cluster-context", "host", "--kubefed-namespace", "not-there")
    must_fail(result, 'KubeFed system namespace "not-there" does not exist')
    expect(t.host.find(k.CRDS, None, "federatedendpoints.types.kubefed.io"), None, "CRD")


@test()
def bad_output_formats_are_refused(t):
    must_fail(run_ctl(t.env, "enable", "configmaps", "-o", "json", "--host-cluster-context", "host"),
              "Invalid value for --output: json")


@test()
def a_directive_file_is_read(t):
    path = os.path.join(t.env.folder, t.unique("directive") + ".yaml")
    with open(path, "w") as f:
        f.write("apiVersion: core.kubefed.io/v1beta1\nkind: EnableTypeDirective\nmetadata:\n  name: configmaps\n"
                "spec:\n  federatedGroup: other.example.com\n  federatedVersion: v1alpha1\n")
    result = run_ctl(t.env, "enable", "-f", path, "-o", "yaml", "--host-cluster-context", "host")
    expect(result.returncode, 0, f"exit status ({result.stderr})")
    ftc, definition = parsed(t, result.stdout)
    expect((ftc["spec"]["federatedType"]["group"], ftc["spec"]["federatedType"]["version"]),
           ("other.example.com", "v1alpha1"), "federated type")
    expect(definition["metadata"]["name"], "federatedconfigmaps.other.example.com", "CRD")
    must_fail(run_ctl(t.env, "enable", "-f", "/no/such/file.yaml", "--host-cluster-context", "host"), "/no/such/file.yaml")


@test(smoke=True)
def disable_stops_propagation_and_removes_the_crd(t):
    plane = t.main()
    plane.ctl("enable", "daemonsets.apps")
    plane.wait_running("daemonsets.apps")
    out = plane.ctl("disable", "daemonsets", "--delete-crd", "--timeout", "2m", timeout=180)
    name = f"{plane.namespace}/daemonsets.apps"
    expect(out, f'Disabled propagation for FederatedTypeConfig "{name}"\n'
                f'Verifying propagation controller is stopped for FederatedTypeConfig "{name}"\n'
                f'Propagation controller for FederatedTypeConfig "{name}" is stopped\n'
                'customresourcedefinition "federateddaemonsets.types.kubefed.io" deleted\n'
                f'federatedtypeconfig "{name}" deleted\n', "stdout")
    t.gone(t.host, k.FTC, plane.namespace, "daemonsets.apps")
    t.gone(t.host, k.CRDS, None, "federateddaemonsets.types.kubefed.io")


@test()
def disable_keeps_a_crd_with_instances(t):
    plane = t.main()
    # A type of its own: others enable those of Kubernetes, or look whether an attempt to do so leaves a definition.
    kind = "Counted" + str(t.env.number("counted"))
    plural = kind.lower() + "s"
    name, fed = f"{plural}.e2e.example.com", k.FED + plural
    add_type(t, "e2e.example.com", plural, kind)
    for member in t.members.values():
        member.create(k.CRDS, None, crd("e2e.example.com", "v1", plural, kind, GADGET_SCHEMA))
    plane.ctl("enable", name)
    plane.wait_running(name)
    namespace = t.namespace(federate=False)
    eventually(lambda: t.host.list(fed))
    t.host.create(fed, namespace, {"kind": "Federated" + kind, "metadata": {"name": "x"}, "spec": {}})
    must_fail(plane.run_ctl("disable", name, "--delete-crd"),
              f'Cannot delete CRD "federated{plural}.types.kubefed.io" while resource instances exist')
    expect(t.host.get(k.FTC, plane.namespace, name)["spec"]["propagation"], "Enabled", "propagation")
    t.host.delete(fed, namespace, "x")
    t.gone(t.host, fed, namespace, "x")
    plane.ctl("disable", name, "--delete-crd", "--timeout", "2m", timeout=180)
    t.gone(t.host, k.FTC, plane.namespace, name)


@test()
def disable_of_a_type_that_is_not_enabled(t):
    plane = t.plane("disable", "Cluster")
    out = plane.ctl("disable", "unicorns.example.com")
    expect(out, f'FederatedTypeConfig "{plane.namespace}/unicorns.example.com" does not exist\n', "stdout")


@test()
def disable_without_a_controller_says_so_and_leaves_the_type_disabled(t):
    plane = t.plane("disable", "Cluster")
    plane.ctl("enable", "resourcequotas")
    result = plane.run_ctl("disable", "resourcequotas", "--timeout", "2s")
    must_fail(result, f'Unable to verify propagation controller for FederatedTypeConfig "{plane.namespace}/resourcequotas"')
    expect(t.host.get(k.FTC, plane.namespace, "resourcequotas")["spec"]["propagation"], "Disabled", "propagation")


@test()
def flags_of_disable_that_need_delete_crd(t):
    plane = t.plane("disable", "Cluster")
    must_fail(plane.run_ctl("disable", "configmaps", "--version", "v1"), "--version flag valid only with --delete-crd")
    must_fail(plane.run_ctl("disable", "configmaps", "--federated-group", "x.example.com"), "valid only with --delete-crd")


@test()
def a_type_that_is_enabled_before_its_crd_works_when_the_crd_comes(t):
    """No answer "no such kind" is kept for ever: the FederatedTypeConfig may be first."""
    plane, gadgets, _ = t.private(members=("member1",))
    late = "late" + str(t.env.number("late"))
    t.member1.create(k.CRDS, None, crd("e2e.example.com", "v1", late + "s", late.capitalize(), GADGET_SCHEMA))
    ftc = plane.add_type(f"e2e.example.com/v1/{late}s")
    expect(ftc["metadata"]["name"], f"{late}s.e2e.example.com", "name")
    t.host.create(k.CRDS, None, crd("types.kubefed.io", "v1beta1", f"federated{late}s", f"Federated{late.capitalize()}",
                                    {"type": "object", "x-kubernetes-preserve-unknown-fields": True}))
    eventually(lambda: t.host.list(f"{k.FED}{late}s"))
    t.federate(f"{k.FED}{late}s", plane.namespace, "x", {"data": {"a": "b"}}, clusters=["member1"])
    t.propagated(f"{k.FED}{late}s", plane.namespace, "x", ["member1"])
