"""Bad input and bad surroundings of kubefedctl: kubeconfigs, credential plugins, rights, malformed YAML, clusters that
are down (api-and-cli.md 2.6, 3.1, A-57). Every failure says what and where, shows no secret, and ends with 255."""
import base64
import http.server
import itertools
import json
import os
import socket
import subprocess
import threading
import time

from cli_cases import (closed_port, error_of, grant, interrupt, kubeconfig, must, must_begin, must_say, real, start,
                       weak_token, write)
from harness import Skip, eventually, expect, k, kubeconfig_with, run_ctl, slowness, test


# ---- rights

@test()
def a_refused_request_names_verb_resource_user_and_cluster(t):
    plane = t.plane("input", "Cluster")
    token, user = weak_token(t, t.host)
    path = kubeconfig(t, {"host": real(t, "host", token), "member1": real(t, "member1")}, "host")
    rows = ((("enable", "limitranges"), "get", "namespaces", None),
            (("disable", "limitranges"), "get", "federatedtypeconfigs.core.kubefed.io", plane.namespace),
            (("federate", "cm", "x", "-n", "default"), "get", "federatedtypeconfigs.core.kubefed.io", plane.namespace),
            (("orphaning-deletion", "status", "kubefedclusters", "x", "-n", "default"), "get",
             "kubefedclusters.core.kubefed.io",
             "default"),
            (("join", "member1"), "get", "kubefedconfigs.core.kubefed.io", plane.namespace),
            (("unjoin", "member1"), "get", "kubefedclusters.core.kubefed.io", plane.namespace))
    for arguments, verb, resource, namespace in rows:
        result = run_ctl(t.env, *arguments, "--kubefed-namespace", plane.namespace, kubeconfig=path)
        error = error_of(result)
        where = f' in namespace "{namespace}"' if namespace else ""
        assert f'does not allow the user "host" to {verb} "{resource}"{where}' in error, f"{arguments}: {error}"
        assert 'host cluster (context "host", server ' in error and user in error, f"{arguments}: {error}"
        assert token not in result.stderr, "the token is shown"
    expect(t.host.list(k.FTC, plane.namespace), [], "FederatedTypeConfigs")


@test()
def a_right_that_is_missing_later_leaves_what_was_reported(t):
    """enable with the right to create CRDs only: the line of the CRD is on stdout, and it is there."""
    plane = t.plane("input", "Cluster")
    token, user = weak_token(t, t.host)
    grant(t.host, user, ["get", "create"], ["customresourcedefinitions"], "apiextensions.k8s.io")
    grant(t.host, user, ["get"], ["namespaces"])
    grant(t.host, user, ["get", "list"], ["federatedtypeconfigs"], "core.kubefed.io")
    path = kubeconfig(t, {"host": real(t, "host", token)}, "host")
    name = "federatednetworkpolicies.types.kubefed.io"

    def command():
        return run_ctl(t.env, "enable", "networkpolicies", "--kubefed-namespace", plane.namespace, kubeconfig=path)

    def refused():
        result = command()
        error = must_begin(result, 'Error creating FederatedTypeConfig "networkpolicies.networking.k8s.io": ')
        assert 'to create "federatedtypeconfigs.core.kubefed.io"' in error, error
        return result
    result = eventually(refused)
    expect(result.stdout, f"customresourcedefinition.apiextensions.k8s.io/{name} created\n", "stdout")
    t.host.get(k.CRDS, None, name)


# ---- YAML

@test()
def malformed_yaml_is_told_with_line_and_column(t):
    good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
    for text, line, column in (("\t- x", 1, 1), ("a: b: c", 1, 5), ("a: 1\nb: 2\n c: 3\n", 3, 3),
                               ("a: 1\na: 2\n", 2, 1),
                               ("apiVersion: v1\n  kind: X\n", 2, 7), ("key: &a [*b]\n", 1, 10),
                               (good + "data:\n  a: b\n x: y\n", 6, 2)):
        for verb, name in (("federate", "federate.yaml"), ("enable", "enable.yaml")):
            path = write(t, name, text)
            must_begin(run_ctl(t.env, verb, "-f", path, kubeconfig=False),
                       f'Failed to load yaml from file "{path}": invalid YAML at line {line}, column {column}: ')
    # Lines are those of the file, not of the document, and nothing is printed of the documents before.
    path = write(t, "second.yaml", good + "---\n" + good + "  - x\n")
    result = run_ctl(t.env, "federate", "-f", path, kubeconfig=False)
    must_begin(result, f'Failed to load yaml from file "{path}": invalid YAML at line 8, column ')
    expect(result.stdout, "", "stdout")


@test()
def documents_that_are_no_objects_are_told_with_their_number(t):
    good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
    for text, why in (("kind: X\nmetadata: {name: x}\n", "the document has no apiVersion"),
                      ("apiVersion: v1\nmetadata: {name: x}\n", "the document has no kind"),
                      ("apiVersion: v1\nkind: X\n", "the resource has no metadata.name"),
                      ("just text\n", "the document has no apiVersion"),
                      ("- a\n- b\n", "the document has no apiVersion")):
        result = run_ctl(t.env, "federate", "-f", "-", kubeconfig=False, stdin=f"{good}---\n{text}")
        must_say(result, f'Failed to load yaml from file "-": document 2: {why}')
        expect(result.stdout, "", "stdout")


@test()
def files_that_cannot_be_read_are_told(t):
    folder = os.path.join(t.env.folder, t.unique("folder"))
    os.mkdir(folder)
    for verb in ("federate", "enable"):
        must_say(run_ctl(t.env, verb, "-f", folder, kubeconfig=False),
                 f'Failed to load yaml from file "{folder}": read {folder}: is a directory')
        must_begin(run_ctl(t.env, verb, "-f", "/dev/zero", kubeconfig=False),
                   'Failed to load yaml from file "/dev/zero": ')


# ---- clusters

@test()
def a_cluster_that_is_down_is_named(t):
    server = f"https://127.0.0.1:{closed_port(t)}"
    path = kubeconfig(t, {"off": (server, None, "x")}, "off")
    for arguments in (("enable", "configmaps"), ("disable", "configmaps"), ("federate", "cm", "x"), ("unjoin", "off"),
                      ("join", "off"),
                      ("orphaning-deletion", "status", "fcm", "x")):
        began = time.monotonic()
        error = error_of(run_ctl(t.env, *arguments, kubeconfig=path))
        assert f'host cluster (context "off", server {server})' in error, error
        assert "connection refused" in error.lower(), error
        assert time.monotonic() - began < 20 * slowness(), f"{arguments} took {time.monotonic() - began:.0f} s"


@test()
def a_name_that_is_not_found_is_named(t):
    path = kubeconfig(t, {"lost": ("https://no-such-host.invalid:6443", None, "x")}, "lost")
    error = error_of(run_ctl(t.env, "enable", "configmaps", kubeconfig=path))
    assert "no-such-host.invalid" in error and 'context "lost"' in error, error


@test()
def a_server_that_hangs_is_given_up(t):
    """A-57: 30 s for a request, less for the connection. Ctrl-C ends it at once."""
    silent = socket.create_server(("127.0.0.1", 0))
    t.cleanup(silent.close)
    path = kubeconfig(t, {"silent": (f"http://127.0.0.1:{silent.getsockname()[1]}", None, "x")}, "silent")
    process = start(t, "unjoin", "silent", "--kubeconfig", path)
    client, _ = silent.accept()
    client.recv(1)
    began = time.monotonic()
    status, out, err = interrupt(process)
    # Without it the request would have its 30 s.
    assert time.monotonic() - began < 15 * slowness(), f"Ctrl-C took {time.monotonic() - began:.1f} s"
    expect((status, out), (130, ""), f"exit status and stdout ({err})")
    assert "was interrupted" in err and "Nothing was changed." in err, err
    client.close()
    began = time.monotonic()
    error = error_of(run_ctl(t.env, "unjoin", "silent", kubeconfig=path, timeout=90))
    seconds = time.monotonic() - began
    assert 20 < seconds < 75 * slowness(), f"it took {seconds:.0f} s"
    assert "in time" in error and 'context "silent"' in error, error


class Answer:
    """A server without TLS that gives the same answer to every request."""

    def __init__(self, t, text):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._text = text
        t.cleanup(self._listener.close)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(5)
            try:
                client.recv(65536)
                client.sendall(self._text)
            except OSError:
                pass
            client.close()


@test()
def a_server_that_is_no_api_server_is_told(t):
    for text in (b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
                 b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
                 b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
                 b"", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"):
        path = kubeconfig(t, {"odd": (Answer(t, text).endpoint, None, "x")}, "odd")
        for arguments in (("enable", "deployments.apps"), ("unjoin", "odd")):
            error_of(run_ctl(t.env, *arguments, kubeconfig=path))


# ---- kubeconfigs

@test()
def several_kubeconfig_files_are_merged(t):
    """2.6: the first file that has an entry wins, also for the current context; missing files are passed over."""
    first = kubeconfig(t, {"host": real(t, "host")}, "host")
    second = kubeconfig(t, {"host": ("https://127.0.0.1:1", None, "wrong"), "member1": real(t, "member1")}, "member1")
    for order, context, works in (((first, second), None, True), ((second, first), None, True),
                                  ((second, first), "host", False), ((first, "/no/such/file", second), "host", True),
                                  ((first, second), "member1", True)):
        flags = ("--host-cluster-context", context) if context else ()
        result = run_ctl(t.env, "enable", "configmaps", "-o", "yaml", *flags, kubeconfig=False,
                         environment={"KUBECONFIG": ":".join(order)})
        expect(result.returncode, 0 if works else 255, f"exit status with {order} and {context} ({result.stderr})")
    # --kubeconfig replaces the list by one file.
    must(run_ctl(t.env, "enable", "configmaps", "-o", "yaml", kubeconfig=first, environment={"KUBECONFIG": second}))


@test()
def files_named_in_a_kubeconfig_are_relative_to_it(t):
    folder = os.path.join(t.env.folder, t.unique("config"))
    os.mkdir(folder)
    server, ca, token = real(t, "host")
    for name, data in (("ca.crt", base64.b64decode(ca)), ("token", token.encode() + b"\n")):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)
    path = os.path.join(folder, "config")
    with open(path, "w") as f:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                   "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority": "ca.crt"}}],
                   "users": [{"name": "u", "user": {"tokenFile": "token"}}],
                   "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}, f)
    must(run_ctl(t.env, "enable", "configmaps", "-o", "yaml", kubeconfig=path))
    # join reads the authority from the file, too.
    plane = t.plane("input", "Cluster")
    must(run_ctl(t.env, "join", "host", "--cluster-context", "c", "--kubefed-namespace", plane.namespace,
                 "--host-cluster-name",
                 plane.namespace, kubeconfig=path))
    expect(base64.b64decode(plane.cluster("host")["spec"]["caBundle"]), base64.b64decode(ca), "caBundle")


@test()
def contexts_may_have_any_name(t):
    for name in ("arn:aws:eks:eu-1:1234:cluster/prod", "admin@Prod", "with space", "ünïcode", "-dash", "a=b,c",
                 'quo"te'):
        path = kubeconfig(t, {name: real(t, "host")}, name)
        must(run_ctl(t.env, "enable", "configmaps", "-o", "yaml", f"--host-cluster-context={name}", kubeconfig=path))
        must(run_ctl(t.env, "enable", "configmaps", "-o", "yaml", kubeconfig=path))


@test()
def what_a_kubeconfig_lacks_is_told(t):
    server, ca, token = real(t, "host")
    base = {"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": ca}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}
    for change, text in (({"clusters": []}, '"c"'), ({"users": []}, '"u"'),
                         ({"current-context": "x"}, 'context "x" does not exist'),
                         ({"clusters": [{"name": "c", "cluster": {"server": "ftp://x"}}]}, "ftp"),
                         ({"clusters": [{"name": "c",
                                         "cluster": {"server": server, "certificate-authority-data": "!!"}}]}, "c"),
                         ({"contexts": "text"}, "contexts")):
        path = write(t, "lacking.json", json.dumps({**base, **change}))
        result = run_ctl(t.env, "enable", "configmaps", kubeconfig=path)
        error = error_of(result)
        assert text in error and token not in result.stderr, f"{change}: {error}"


# ---- credential plugins

def with_plugin(t, script, **more):
    """A kubeconfig whose user is a plugin: sh -c script."""
    server, ca, _ = real(t, "host")
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "sh", "args": ["-c", script],
                     **more}}
    return kubeconfig(t, {"host": (server, ca, None)}, "host", users={"host": user})


def credential(token):
    return json.dumps({"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential",
                       "status": {"token": token}})


@test()
def a_plugin_gives_the_credentials(t):
    path = with_plugin(t, f"echo '{credential(t.env.admin_token('host'))}'")
    must(run_ctl(t.env, "enable", "configmaps", "-o", "yaml", kubeconfig=path))


@test()
def a_plugin_that_fails_is_told(t):
    for script, text in (("echo 'log in first' >&2; exit 3", "failed with exit code 3"), ("echo garbage", "no JSON"),
                         ("echo '{}'", "no ExecCredential"), ("kill -9 $$", "sh"), ("true", "sh"),
                         (f"echo '{credential('')}'", "sh"), ("head -c 10000000 /dev/zero 2>/dev/null", "sh")):
        result = run_ctl(t.env, "enable", "configmaps", kubeconfig=with_plugin(t, script))
        error = error_of(result)
        assert "no credentials for the host cluster" in error and "Check the exec plugin" in error, error
        assert text in error and 'context "host"' in error, f"{script}: {error}"
        expect("log in first" in result.stderr, "log in first" in script, f"stderr of the plugin in {result.stderr}")
    path = with_plugin(t, "true", command="no-such-plugin", installHint="get it from example.com")
    result = run_ctl(t.env, "enable", "configmaps", kubeconfig=path)
    error_of(result)
    assert "no-such-plugin" in result.stderr and "get it from example.com" in result.stderr, result.stderr


@test()
def a_plugin_that_never_ends_is_ended_by_ctrl_c(t):
    mark = os.path.join(t.env.folder, t.unique("plugin"))
    path = with_plugin(t, f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 300")
    process = start(t, "enable", "configmaps", "--kubeconfig", path)

    def pid():
        with open(mark) as f:
            return int(f.read())
    pid = eventually(lambda: os.path.exists(mark) and pid() or expect(False, True, "the plugin has started"))
    began = time.monotonic()
    status, out, err = interrupt(process)
    assert time.monotonic() - began < 30 * slowness(), f"it took {time.monotonic() - began:.1f} s"   # not the plugin's 300
    expect((status, out), (130, ""), f"exit status and stdout ({err})")
    eventually(lambda: expect(os.path.exists(f"/proc/{pid}"), False, "the plugin is still running"))


# ---- in a pod

@test()
def in_a_pod_the_service_account_is_used(t):
    """2.6, A-03: without a kubeconfig; join then wants --host-cluster-name, as there is no context with a name."""
    if subprocess.run(["unshare", "-rm", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("no private mounts can be made here")
    plane = t.plane("input", "Cluster")
    server, ca, token = real(t, "host")
    folder = os.path.join(t.env.folder, t.unique("pod"))
    account = os.path.join(folder, "secrets/kubernetes.io/serviceaccount")
    os.makedirs(account)
    for name, data in (("ca.crt", base64.b64decode(ca)), ("token", token.encode()),
                       ("namespace", plane.namespace.encode())):
        with open(os.path.join(account, name), "wb") as f:
            f.write(data)
    host, port = server.removeprefix("https://").split(":")
    environment = {**os.environ, "KUBECONFIG": "", "HOME": folder, "KUBERNETES_SERVICE_HOST": host,
                   "KUBERNETES_SERVICE_PORT": port}

    def in_pod(*arguments):
        return subprocess.run(["unshare", "-rm", "sh", "-c", 'mount --bind "$0" /run && exec "$@"', folder,
                               os.path.join(t.env.bin, "kubefedctl"), *arguments], stdin=subprocess.DEVNULL,
                              env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60 * slowness())
    result = in_pod("enable", "configmaps", "-o", "yaml")
    expect(result.returncode, 0, f"exit status of enable ({result.stderr})")
    must_begin(in_pod("join", "x", "--kubefed-namespace", plane.namespace), "host-cluster-name must be set")
    # The namespace of the pod is the default namespace (3.7).
    t.host.create(k.CONFIGMAPS, plane.namespace, {"metadata": {"name": "here"}})
    result = in_pod("federate", "configmaps", "here", "-o", "yaml")
    assert f"  namespace: {plane.namespace}\n" in must(result).stdout, result.stdout


class Circle(http.server.BaseHTTPRequestHandler):
    """A host whose lists never end."""
    items, token = [], "x"

    def do_GET(self):
        token = self.token() if callable(self.token) else self.token
        body = json.dumps({"kind": "List", "apiVersion": "v1", "metadata": {"continue": token}, "items": self.items}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@test()
def a_list_that_never_ends_is_an_error(t):
    numbers = itertools.count()
    for name, token, text in (("same", "x", "the same page of a list again and again"),
                              ("empty", staticmethod(lambda: f"t{next(numbers)}"), "does not come to an end")):
        handler = type(name, (Circle,), {"token": token})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        t.cleanup(server.server_close), t.cleanup(server.shutdown)

        def change(config, port=server.server_address[1]):
            entry = next(c["cluster"] for c in config["clusters"] if c["name"] == "host")
            entry.clear()
            entry["server"] = f"http://127.0.0.1:{port}"
        path = kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)
        result = run_ctl(t.env, "status", "--host-cluster-context", "host", kubeconfig=path)
        expect(result.returncode, 255, f"exit status {result.stderr}")
        assert text in result.stderr, result.stderr
