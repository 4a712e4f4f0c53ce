"""federate and orphaning-deletion: federated objects out of ordinary ones (api-and-cli.md 3.7, 3.8, 7.5, 7.7, 7.8)."""
import subprocess

from harness import FCM, FNS, GADGET_SCHEMA, crd, eventually, expect, k, run_ctl, test
from test_enable import add_type


def must_fail(result, *texts):
    expect(result.returncode, 255, f"exit status ({result.stdout}{result.stderr})")
    for text in ("Error: ", *texts):
        assert text in result.stderr, f"{text!r} is not in: {result.stderr}"


def greet(t, namespace):
    t.host.create(k.CONFIGMAPS, namespace, {
        "metadata": {"name": "greet", "labels": {"l": "1"}, "annotations": {"x": "y"}}, "data": {"lang": "en"}})


@test(smoke=True)
def output_yaml_is_the_documented_one(t):
    plane = t.main()
    namespace = t.namespace(federate=False)
    greet(t, namespace)
    result = plane.run_ctl("federate", "cm", "greet", "-n", namespace, "-o", "yaml")
    expect(result.returncode, 0, f"exit status ({result.stderr})")
    expect(result.stdout, f"""---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata:
  name: greet
  namespace: {namespace}
spec:
  placement:
    clusterSelector:
      matchLabels: {{}}
  template:
    data:
      lang: en
    metadata:
      labels:
        l: "1"
""", "stdout")
    assert "will not appear in the template of the federated resource" in result.stderr, result.stderr


@test(smoke=True)
def a_federated_object_is_propagated(t):
    plane = t.main()
    namespace = t.namespace(["member1", "member2"])
    greet(t, namespace)
    result = plane.run_ctl("federate", "configmaps", "greet", "-n", namespace)
    expect((result.returncode, result.stdout), (0, ""), f"exit status and stdout ({result.stderr})")
    assert f'Successfully created FederatedConfigMap "{namespace}/greet" from ConfigMap' in result.stderr, result.stderr
    t.propagated(FCM, namespace, "greet")
    for name, member in t.members.items():
        obj = member.get(k.CONFIGMAPS, namespace, "greet")
        expect(obj["data"], {"lang": "en"}, f"data in {name}")
        assert "x" not in (obj["metadata"].get("annotations") or {}), obj["metadata"]


@test()
def a_namespace_is_federated_into_itself(t):
    plane = t.main()
    namespace = t.namespace(federate=False)
    plane.ctl("federate", "namespace", namespace)
    fed = t.host.get(FNS, namespace, namespace)
    assert "finalizers" not in fed["spec"]["template"].get("spec", {}), fed["spec"]
    # The placement is every cluster, the host among them.
    t.propagated(FNS, namespace, namespace, ["host", "member1", "member2"])


@test()
def a_second_time_is_an_error(t):
    plane = t.main()
    namespace = t.namespace(federate=False)
    greet(t, namespace)
    plane.ctl("federate", "cm", "greet", "-n", namespace)
    must_fail(plane.run_ctl("federate", "cm", "greet", "-n", namespace),
              f'Error creating federated resource "{namespace}/greet"', "already exists")


@test()
def what_the_server_filled_in_is_left_out_of_services(t):
    plane = t.main()
    namespace = t.namespace(federate=False)
    t.host.create(k.SERVICES, namespace, {"metadata": {"name": "s"}, "spec": {
        "type": "NodePort", "ports": [{"port": 80, "name": "http"}], "selector": {"app": "s"}}})
    plane.ctl("federate", "svc", "s", "-n", namespace)
    template = t.host.get(k.FED + "services", namespace, "s")["spec"]["template"]
    for gone in ("clusterIP", "clusterIPs"):
        assert gone not in template["spec"], template
    assert "nodePort" not in template["spec"]["ports"][0], template
    expect(template["spec"]["type"], "NodePort", "type")
    for gone in ("status", "apiVersion", "kind"):
        assert gone not in template, template
    assert set(template.get("metadata", {})) <= {"labels"}, template["metadata"]


@test()
def enable_type_enables_first(t):
    plane = t.main()
    namespace = t.namespace(["member1"])
    # A type of its own: those of Kubernetes are enabled by other tests as well.
    kind = "Held" + str(t.env.number("held"))
    plural = kind.lower() + "s"
    target, fed = f"e2e.example.com/v1/{plural}", k.FED + plural
    add_type(t, "e2e.example.com", plural, kind)
    for member in t.members.values():
        member.create(k.CRDS, None, crd("e2e.example.com", "v1", plural, kind, GADGET_SCHEMA))
    t.host.create(target, namespace, {"kind": kind, "metadata": {"name": "s"}, "data": {"a": "b"}})
    result = plane.run_ctl("federate", plural, "s", "-n", namespace, "--enable-type")
    expect(result.returncode, 0, f"exit status ({result.stderr})")
    expect(result.stdout, f"customresourcedefinition.apiextensions.k8s.io/federated{plural}.types.kubefed.io created\n"
           f"federatedtypeconfig.core.kubefed.io/{plural}.e2e.example.com created in namespace {plane.namespace}\n", "stdout")
    t.propagated(fed, namespace, "s", ["member1"])
    expect(t.member1.get(target, namespace, "s")["data"], {"a": "b"}, "data in member1")
    t.host.delete(fed, namespace, "s")
    t.gone(t.host, fed, namespace, "s")
    t.host.delete(k.FTC, plane.namespace, f"{plural}.e2e.example.com")


@test()
def a_refused_secret_is_quoted_nowhere(t):
    plane = t.main()
    namespace = t.namespace(["member1"])
    t.host.create(k.SECRETS, namespace, {"metadata": {"name": "s"}, "data": {"a": "Yg=="}})
    # Another test that enables them in the same moment may be faster.
    eventually(lambda: plane.ctl("enable", "secrets"))
    plane.ctl("federate", "secret", "s", "-n", namespace)
    t.propagated(k.FED + "secrets", namespace, "s", ["member1"])
    expect(t.member1.get(k.SECRETS, namespace, "s")["data"], {"a": "Yg=="}, "data in member1")
    # An API server quotes what it cannot read; of a Secret nothing may get into logs and events.
    t.env.secrets.add("hunter2-TOPSECRET")
    t.federate(k.FED + "secrets", namespace, "bad", {"data": {"password": "hunter2-TOPSECRET not base64"}}, clusters=["member1"])

    def told():
        events = plane.events("bad", namespace)
        failures = [e["message"] for e in events if e["reason"] == "CreateInClusterFailed"]
        assert failures, "no event"
        for message in failures:
            assert "not shown" in message, message
        for event in events:    # a late member is told in another one
            assert "hunter2" not in event["message"], event["message"]
    eventually(told)
    # The status is written after the event.
    eventually(lambda: expect([c.get("status") for c in t.host.get(k.FED + "secrets", namespace, "bad")["status"]["clusters"]],
                              ["CreationFailed"], "status"))


@test()
def a_type_that_is_not_enabled_is_named(t):
    plane = t.main()
    namespace = t.namespace(federate=False)
    t.host.create(k.SERVICEACCOUNTS, namespace, {"metadata": {"name": "sa"}})
    must_fail(plane.run_ctl("federate", "sa", "sa", "-n", namespace),
              'federatedtypeconfigs.core.kubefed.io "serviceaccounts" not found',
              "Consider using '--enable-type'")
    result = plane.run_ctl("federate", "sa", "sa", "-n", namespace, "-o", "yaml")
    expect(result.returncode, 0, f"exit status with -o yaml ({result.stderr})")
    assert "kind: FederatedServiceAccount" in result.stdout and "secrets:" not in result.stdout, result.stdout


@test()
def wrong_arguments_are_explained(t):
    plane = t.main()
    for arguments, text in ((("cm",), "RESOURCE-NAME is required"),
                            (("cm", "x", "-o", "json"), "Invalid value for --output: json"),
                            (("cm", "x", "-o", "yaml", "-t"), "Flag '--enable-type' cannot be used with '--output [yaml]'"),
                            (("cm", "-f", "x"), "Flag '--filename' does not take any args. Got args: [cm]"),
                            (("unicorn", "x"), "unicorn"),
                            (("cm", "not-there", "-n", "default"), 'Error retrieving target ConfigMap "default/not-there"')):
        must_fail(plane.run_ctl("federate", *arguments), text)


@test(smoke=True)
def documents_from_stdin_are_converted(t):
    result = run_ctl(t.env, "federate", "-f", "-", stdin="apiVersion: v1\nkind: Namespace\nmetadata: {name: n1}\n")
    expect(result.returncode, 0, f"exit status ({result.stderr})")
    expect(result.stdout, """---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata:
  name: n1
  namespace: n1
spec:
  placement:
    clusterSelector:
      matchLabels: {}
  template: {}
""", "stdout")


@test()
def several_documents_and_empty_ones(t):
    text = ("# only a comment\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: x}\n"
            "spec: {replicas: 3}\n---\n\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: x}\n"
            "data: {a: 'yes', b: '1', c: \"1e3\"}\n")
    result = run_ctl(t.env, "federate", "-f", "-", stdin=text)
    expect(result.returncode, 0, f"exit status ({result.stderr})")
    documents = result.stdout.split("---\n")[1:]
    expect(len(documents), 2, f"documents in {result.stdout}")
    assert "kind: FederatedDeployment" in documents[0] and "replicas: 3" in documents[0], documents[0]
    for line in ('a: "yes"', 'b: "1"', 'c: "1e3"'):
        assert line in documents[1], documents[1]


@test()
def no_cluster_is_needed_for_files(t):
    result = run_ctl(t.env, "federate", "-f", "-", kubeconfig="/no/such/file",
                     stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")
    expect(result.returncode, 0, f"exit status ({result.stderr})")


@test()
def malformed_yaml_is_an_error(t):
    for text in ("a: [", "\t- x", "a: b: c", "{" * 3000, "- [\n" * 500, "&a [*a, *a]", "\x00\x01"):
        result = run_ctl(t.env, "federate", "-f", "-", stdin=text)
        expect(result.returncode, 255, f"exit status for {text[:20]!r} ({result.stderr[:300]})")
        assert "Error: " in result.stderr, result.stderr


@test()
def yaml_output_can_be_applied(t):
    t.main()
    namespace = t.namespace(["member1"])
    result = run_ctl(t.env, "federate", "-f", "-", stdin="apiVersion: v1\nkind: ConfigMap\nmetadata:\n"
                     f"  name: piped\n  namespace: {namespace}\ndata:\n  multi: |\n    line: 1\n      # line 2\n  e: ''\n")
    expect(result.returncode, 0, f"exit status ({result.stderr})")
    applied = subprocess.run(["kubectl", "--kubeconfig", t.env.kubeconfig, "--context", "host", "create", "-f", "-"],
                             input=result.stdout, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    expect(applied.returncode, 0, f"exit status of kubectl ({applied.stdout})")
    t.propagated(FCM, namespace, "piped", ["member1"])
    expect(t.member1.get(k.CONFIGMAPS, namespace, "piped")["data"], {"multi": "line: 1\n  # line 2\n", "e": ""}, "data")


@test()
def orphaning_deletion_is_switched(t):
    plane = t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace, "c", clusters=["member1"])
    # The annotation is written with the whole object, which fails when the controller stores its finalizer meanwhile.
    t.propagated(FCM, namespace, "c", ["member1"])

    def command(verb):
        return plane.ctl("orphaning-deletion", verb, "federatedconfigmaps", "c", "-n", namespace)
    expect(command("status"), "Disabled\n", "status")
    expect(command("enable"), "", "output of enable")
    expect(command("status"), "Enabled\n", "status")
    expect(t.host.get(FCM, namespace, "c")["metadata"]["annotations"]["kubefed.io/orphan"], "true", "annotation")
    command("disable")
    expect(command("status"), "Disabled\n", "status")
    must_fail(plane.run_ctl("orphaning-deletion", "status", "fcm", "nope", "-n", namespace),
              f'Failed to retrieve resource: "{namespace}/nope"')
    t.propagated(FCM, namespace, "c", ["member1"])
