"""What kubefedctl prints, byte for byte (api-and-cli.md 3.1, 3.7, 7.2, 7.5, 9.3): see golden/README.md."""
import http.server
import json
import os
import re
import subprocess

from cli_cases import kubeconfig, must, must_say, proxies, real, write
from harness import eventually, expect, k, run_ctl, test

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
# Plural and name of the object in each golden file.
OBJECTS = {"namespace": ("/api/v1/namespaces/{name}", "namespaces", "shop"),
           "serviceaccount": ("/api/v1/namespaces/shop/serviceaccounts/{name}", "serviceaccounts", "robot"),
           "service": ("/api/v1/namespaces/shop/services/{name}", "services", "web"),
           "deployment": ("/apis/apps/v1/namespaces/shop/deployments/{name}", "deployments.apps", "web"),
           "job": ("/apis/batch/v1/namespaces/shop/jobs/{name}", "jobs.batch", "once"),
           "persistentvolumeclaim": ("/api/v1/namespaces/shop/persistentvolumeclaims/{name}", "persistentvolumeclaims",
                                     "disk"),
           "pod": ("/api/v1/namespaces/shop/pods/{name}", "pods", "single")}


def golden(name):
    with open(os.path.join(GOLDEN, name), encoding="utf-8") as f:
        return f.read()


class Canned(proxies.Gateway):
    """A gateway that answers for some objects itself: {path: JSON text}."""

    def __init__(self, answers, *arguments):
        self.answers = answers
        super().__init__(*arguments)

    def serve(self, handler, body):
        text = self.answers.get(handler.path)
        if text is None:
            super().serve(handler, body)
            return
        body = text.encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def canned(t):
    """A kubeconfig for the host with the golden objects in it."""
    answers = {path.format(name=name): golden(f"{kind}.json") for kind, (path, _, name) in OBJECTS.items()}
    authority = proxies.Authority(os.path.join(t.env.folder, t.unique("authority")))
    _, ca, token = real(t, "host")
    gateway = Canned(answers, t.env.apis["host"], ca, authority.certificate("gateway"))
    t.cleanup(gateway.close)
    return kubeconfig(t, {"host": (gateway.endpoint, authority.ca, token)}, "host")


@test(smoke=True)
def federate_prints_the_golden_documents(t):
    path = canned(t)
    for kind, (_, plural, name) in OBJECTS.items():
        result = must(run_ctl(t.env, "federate", plural, name, "-n", "shop", "-o", "yaml", "--kubefed-namespace",
                              "not-there",
                              kubeconfig=path))
        expect(result.stdout, golden(f"{kind}.yaml"), f"stdout of federate {plural}")


@test(smoke=True)
def federate_converts_files_to_the_golden_documents(t):
    for kind in OBJECTS:
        result = must(run_ctl(t.env, "federate", "-f", os.path.join(GOLDEN, f"{kind}.json"),
                              kubeconfig="/no/such/file"))
        expect(result.stdout, golden(f"{kind}.yaml"), f"stdout of federate -f {kind}.json")
    every = "".join(f"---\n{golden(kind + '.json')}" for kind in OBJECTS)
    result = must(run_ctl(t.env, "federate", "-f", "-", kubeconfig=False, stdin=every))
    expect(result.stdout, "".join(golden(f"{kind}.yaml") for kind in OBJECTS), "stdout of all in one file")


@test()
def a_list_is_taken_apart(t):
    """A-21."""
    items = [json.loads(golden(f"{kind}.json")) for kind in ("service", "job")]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    expect(must(run_ctl(t.env, "federate", "-f", "-", kubeconfig=False, stdin=text)).stdout,
           golden("service.yaml") + golden("job.yaml"), "stdout")


@test()
def a_missing_namespace_is_filled_in_for_files(t):
    """A-21: from -n; never for kinds without namespace. Without -n it stays missing, as KubeFed's own tests want."""
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n" \
           "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n1}\n" \
           "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: own}\n"
    for flags, wanted in (((), [None, "n1", "own"]), (("-n", "x"), ["x", "n1", "own"])):
        out = must(run_ctl(t.env, "federate", "-f", "-", *flags, kubeconfig=False, stdin=text)).stdout
        found = []
        for document in out.split("---\n")[1:]:
            lines = [line for line in document.splitlines() if line.startswith("  namespace: ")]
            found.append(lines[0].split(": ")[1] if lines else None)
        expect(found, wanted, f"namespaces with {flags}")


@test()
def annotations_are_dropped_with_a_warning_on_stderr(t):
    result = must(run_ctl(t.env, "federate", "-f", os.path.join(GOLDEN, "namespace.json"), kubeconfig=False))
    line, = result.stderr.splitlines()
    text = '] Annotations defined for Namespace "shop" will not appear in the template of the federated resource: [note'
    assert line.startswith("W") and text in line, line
    assert "note" not in result.stdout, result.stdout


@test()
def yaml_1_1_is_read(t):
    """3.1: an unquoted y, on or no is a boolean; quoted ones stay text."""
    text = "apiVersion: v1\nkind: Thing\nmetadata: {name: c}\n" \
           "spec: {a: y, b: on, c: no, d: 'y', e: Off, f: 0x10, g: 1_000, h: ~}\n"
    out = must(run_ctl(t.env, "federate", "-f", "-", kubeconfig=False, stdin=text)).stdout
    expect(out.split("  template:\n")[1],
           "    spec:\n      a: true\n      b: true\n      c: false\n      d: \"y\"\n      e: false\n"
                                          "      f: 16\n      g: 1000\n      h: null\n", "template")


@test()
def a_name_that_yaml_reads_as_something_else_is_explained(t):
    for name, kind in (("n", "boolean"), ("on", "boolean"), ("1", "number"), ("[a]", "list"), ("{a: b}", "map")):
        result = run_ctl(t.env, "federate", "-f", "-", kubeconfig=False,
                         stdin=f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")
        must_say(result, 'Failed to load yaml from file "-": document 1: metadata.name is no string but a '
                         f"{kind}: put it in quotes")


@test()
def numbers_keep_all_their_digits(t):
    text = '{"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "c"}, ' \
           '"spec": {"a": 9007199254740993, "b": -1, "c": 1.5, "d": 18446744073709551615}}'
    out = must(run_ctl(t.env, "federate", "-f", "-", kubeconfig=False, stdin=text)).stdout
    expect(out.split("  template:\n")[1], "    spec:\n      a: 9007199254740993\n      b: -1\n      c: 1.5\n"
                                          "      d: 18446744073709551615\n", "template")


@test()
def live_objects_lose_exactly_what_the_rules_name(t):
    """3.7 and A-19 on a real API server, whose defaults all stay."""
    plane = t.main()
    namespace = t.namespace(federate=False)
    pod = {"containers": [{"name": "c", "image": "busybox"}], "restartPolicy": "Never"}
    made = {"v1/services": ("s", {"spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"a": "b"}}}),
            "batch/v1/jobs": ("j", {"spec": {"template": {"spec": pod}}}),
            "v1/persistentvolumeclaims": ("p", {"spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "v",
                                                         "resources": {"requests": {"storage": "1Gi"}}}}),
            "v1/serviceaccounts": ("a", {})}
    gone = {"v1/services": ["clusterIP", "clusterIPs", "healthCheckNodePort", "ipFamilies"],
            "batch/v1/jobs": ["selector"],
            "v1/persistentvolumeclaims": ["volumeName"], "v1/serviceaccounts": []}
    for resource, (name, body) in made.items():
        t.host.create(resource, namespace, {"metadata": {"name": name}, **body})
        live = eventually(lambda r=resource, n=name: complete(t.host.get(r, namespace, n)))
        out = json_of(t, plane, resource.split("/")[-1], name, namespace)
        expect(out["spec"]["template"], template_of(live, gone[resource]), f"template of {resource}")


def complete(obj):
    """A ServiceAccount gets its Secrets later."""
    assert obj["kind"] != "ServiceAccount" or obj.get("secrets"), "no secrets yet"
    return obj


def json_of(t, plane, plural, name, namespace):
    """What federate prints, as kubectl reads it. kubectl wants to know the kind, so it is read as a ConfigMap."""
    text = must(plane.run_ctl("federate", plural, name, "-n", namespace, "-o", "yaml")).stdout
    text = re.sub(r"^apiVersion: .*\nkind: .*$", "apiVersion: v1\nkind: ConfigMap", text, count=1, flags=re.M)
    result = subprocess.run(["kubectl", "--kubeconfig", t.env.kubeconfig, "--context", "host", "create",
                             "--dry-run=client", "--validate=false", "-o", "json", "-f", "-"], input=text,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def template_of(live, gone):
    dropped = ("apiVersion", "kind", "status", "metadata", "secrets")
    template = {key: value for key, value in live.items() if key not in dropped}
    spec = template.get("spec", {})
    for key in gone:
        spec.pop(key, None)
    for port in spec.get("ports", []):
        port.pop("nodePort", None)
    labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
    for key in ("controller-uid", "job-name"):
        labels.pop(key, None)
    return template


@test(smoke=True)
def enable_prints_the_golden_documents(t):
    """No installation of KubeFed is needed, and an endpoint without TLS will do (9.6)."""
    for name in ("deployments.apps", "namespaces"):
        result = must(run_ctl(t.env, "enable", name, "-o", "yaml", "--host-cluster-context", "host",
                              "--kubefed-namespace", "no"))
        expect(result.stdout, golden(f"enable-{name}.yaml"), f"stdout of enable {name}")


@test()
def the_directives_of_the_chart_are_read_over_plain_http(t):
    """9.6: the call that makes the chart's CRDs, on an API server without TLS."""
    http = PlainHttp(t)
    path = kubeconfig(t, {"kubefed": (http.endpoint, None, t.env.admin_token("host"))})
    for name in ("deployments.apps", "namespaces"):
        directive = write(t, "directive.yaml",
                          "apiVersion: core.kubefed.io/v1beta1\nkind: EnableTypeDirective\nmetadata:\n"
                                               f"  name: {name}\n")
        result = must(run_ctl(t.env, "enable", "-f", directive, "--kubefed-namespace", "x", "--host-cluster-context",
                              "kubefed",
                              "-o", "yaml", kubeconfig=path))
        expect(result.stdout, golden(f"enable-{name}.yaml"), f"stdout for {name}")


class PlainHttp(proxies.Gateway):
    """A gateway without TLS."""

    def __init__(self, t):
        _, ca, _ = real(t, "host")
        super().__init__(t.env.apis["host"], ca, None)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        t.cleanup(self.close)

    @staticmethod
    def _listen(handler, certificate):
        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
        return Server(("127.0.0.1", 0), handler)


@test()
def the_lines_of_enable_and_disable(t):
    """7.2, 7.4, with a control plane of its own."""
    plane = t.plane("golden", "Cluster")
    crd, ns = "federatedpriorityclasses.types.kubefed.io", plane.namespace
    name = "priorityclasses.scheduling.k8s.io"
    for word in ("created", "updated"):
        result = must(plane.run_ctl("enable", "pc"))
        expect(result.stdout, f"customresourcedefinition.apiextensions.k8s.io/{crd} {word}\n"
                              f"federatedtypeconfig.core.kubefed.io/{name} {word} in namespace {ns}\n",
               "stdout of enable")
    plane.start()
    plane.wait_running(name)
    result = must(plane.run_ctl("disable", "PriorityClass", "--delete-crd", "--timeout", "3m", timeout=240))
    expect(result.stdout, f'Disabled propagation for FederatedTypeConfig "{ns}/{name}"\n'
                          f'Verifying propagation controller is stopped for FederatedTypeConfig "{ns}/{name}"\n'
                          f'Propagation controller for FederatedTypeConfig "{ns}/{name}" is stopped\n'
                          f'customresourcedefinition "{crd}" deleted\n'
                          f'federatedtypeconfig "{ns}/{name}" deleted\n', "stdout of disable")
    t.gone(t.host, k.CRDS, None, crd)
