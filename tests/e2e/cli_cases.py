"""What the tests of kubefedctl share: kubeconfigs made for one test, gateways that note requests, weak users."""
import json
import os
import signal
import socket
import subprocess

import proxies
from harness import eventually, expect, k, run_ctl, slowness, token_for


def must(result):
    assert result.returncode == 0, f"exit status {result.returncode}\n{result.stdout}{result.stderr}"
    return result


def error_of(result):
    """The text after "Error: ", of a verb that must have failed with 255 and without usage, traces and the like."""
    expect(result.returncode, 255, f"exit status ({result.stdout}{result.stderr})")
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    expect(len(lines), 1, f"error lines in {result.stderr}")
    assert "goroutine" not in result.stderr and "Usage:" not in result.stderr, result.stderr
    return lines[0].removeprefix("Error: ")


def must_say(result, text):
    """Fails with exactly this error text."""
    expect(error_of(result), text, "error")


def must_begin(result, text):
    """Fails with an error that begins so; what follows is the text of an API server or of the system."""
    error = error_of(result)
    assert error.startswith(text), f"the error does not begin with {text!r}: {error}"
    return error


PARTLY = ("unable to retrieve the complete list of server APIs", "Not all API groups could be read")


def whole(ask, *arguments, **kwargs):
    """The result of a command that changes nothing, once the host can tell all its types.

    It cannot for a moment when another test makes the first type of a group: the group is listed before its types are.
    """
    def asked():
        result = ask(*arguments, **kwargs)
        assert not any(text in result.stderr for text in PARTLY), f"the host does not tell all its types: {result.stderr}"
        return result
    return eventually(asked)


def discovered(api, resource):
    """Waits until the API server serves a resource of a new definition and names it, which are two things."""
    group_version, plural = resource.rsplit("/", 1)
    group, version = group_version.split("/")

    def told():
        api.list(resource)
        versions = {g["name"]: [v["version"] for v in g["versions"]] for g in api.call("GET", "/apis")["groups"]}
        assert version in versions.get(group, ()), f"{group_version} is not listed yet"
        names = [r["name"] for r in api.call("GET", f"/apis/{group_version}")["resources"]]
        assert plural in names, f"{plural} is not among the types of {group_version} yet: {names}"
    eventually(told)


def established(api, name):
    """Waits until the API server has written its part of a definition; until then an update may meet it (409)."""
    eventually(lambda: expect(k.condition(api.get(k.CRDS, None, name), "Established").get("status"), "True",
                              f"Established of {name}"))


CONFLICTS = ("already exists", "the object has been modified", "Conflict")


def enable_shared(plane, *names):
    """Enables types whose definitions all tests share: another one may make or update such a definition just now (409).

    Or the first type of a group, see above. Whatever else fails is a failure at once.
    """
    def undisturbed(name):
        result = plane.run_ctl("enable", name)
        disturbed = result.returncode != 0 and any(text in result.stderr for text in CONFLICTS + PARTLY)
        assert not disturbed, f"kubefedctl enable {name}: {result.stdout}{result.stderr}"
        return result
    for name in names:
        must(eventually(lambda n=name: undisturbed(n)))


def closed_port(t):
    """A port that refuses connections, and that nobody else gets as long as the test runs."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))       # it does not listen
    t.cleanup(holder.close)
    return holder.getsockname()[1]


def write(t, name, text):
    path = os.path.join(t.env.folder, f"{t.unique('file')}-{name}")
    with open(path, "w") as f:
        f.write(text)
    return path


def kubeconfig(t, contexts, current=None, users=None):
    """A kubeconfig file with a context for each {name: (server, ca, token)}; users: {context: other credentials}."""
    config = {"apiVersion": "v1", "kind": "Config", "current-context": current or "", "clusters": [], "contexts": [],
              "users": []}
    for name, (server, ca, token) in contexts.items():
        cluster = {"server": server}
        if ca:
            cluster["certificate-authority-data"] = ca
        config["clusters"].append({"name": name, "cluster": cluster})
        config["users"].append({"name": name, "user": (users or {}).get(name, {"token": token})})
        config["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
    return write(t, "kubeconfig.json", json.dumps(config))


def real(t, context, token=None):
    """What kubeconfig() wants for a cluster of the lab."""
    server, ca = t.env.entry(context)
    return server, ca, token or t.env.admin_token(context)


def weak_token(t, api):
    """A token of an account that may do nothing but discovery; its name comes second."""
    account = t.unique("weak")
    api.create(k.SERVICEACCOUNTS, "default", {"metadata": {"name": account}})
    token = token_for(api, account)
    t.env.secrets.add(token)
    return token, f"system:serviceaccount:default:{account}"


def grant(api, user, verbs, resources, group=""):
    """Gives a service account these rights in the whole cluster."""
    name = f"e2e-grant-{user.rsplit(':', 1)[1]}"
    rule = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    old = api.find(k.CLUSTERROLES, None, name)
    if old:
        api.replace(k.CLUSTERROLES, None, {**old, "rules": old["rules"] + [rule]})
        return
    api.create(k.CLUSTERROLES, None, {"metadata": {"name": name}, "rules": [rule]})
    api.create(k.CLUSTERROLEBINDINGS, None, {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": user.rsplit(":", 1)[1], "namespace": "default"}]})


class Gateways:
    """kubefedctl on one plane, with a gateway before each cluster that notes the requests in their order."""

    def __init__(self, t, plane, **clusters):
        """clusters: letter of a trace = context, such as H="host", M="member1"."""
        self.t, self.plane, self.log = t, plane, []
        authority = proxies.Authority(os.path.join(t.env.folder, t.unique("authority")))
        certificate = authority.certificate("gateway")
        self.of, self.apis, contexts = {}, {}, {}
        for letter, context in clusters.items():
            server, ca, token = real(t, context)
            gateway = proxies.Gateway(t.env.apis[context], ca, certificate)
            gateway.requests = Log(self.log, letter)
            t.cleanup(gateway.close)
            self.of[letter], self.apis[letter] = gateway, t.env.apis[context]
            contexts[context] = gateway.endpoint, authority.ca, token
        self.kubeconfig = kubeconfig(t, contexts, "host")

    def tokens_in_time(self, letter):
        """From now on a ServiceAccount is shown there when Kubernetes has made its token Secret.

        Otherwise it depends on the load of the machine whether join finds that or asks for one, which it reports.
        """
        api = self.apis[letter]

        def has_token(namespace, account):
            obj = api.find(k.SERVICEACCOUNTS, namespace, account)
            assert obj is None or obj.get("secrets"), f"ServiceAccount {namespace}/{account} has no token Secret yet"

        def wait(method, path, _):
            parts = path.split("/")     # /api/v1/namespaces/NAMESPACE/serviceaccounts/NAME
            if method == "GET" and len(parts) == 7 and parts[5] == "serviceaccounts":
                eventually(lambda: has_token(parts[4], parts[6]), 20)
        self.of[letter].refuse = wait

    def command(self, *arguments):
        return [*arguments, "--host-cluster-context", "host", "--kubefed-namespace", self.plane.namespace]

    def run(self, *arguments, timeout=60):
        """kubefedctl through the gateways: (result, [(letter, method, path, query)])."""
        self.log.clear()
        result = run_ctl(self.t.env, *self.command(*arguments), kubeconfig=self.kubeconfig, timeout=timeout)
        return result, list(self.log)

    def start(self, *arguments):
        """The same without waiting: the process."""
        self.log.clear()
        return start(self.t, *self.command(*arguments), "--kubeconfig", self.kubeconfig)


class Log(list):
    """The list of a gateway's requests; each goes into the common one, too."""

    def __init__(self, common, letter):
        super().__init__()
        self.common, self.letter = common, letter

    def append(self, request):
        super().append(request)
        self.common.append((self.letter, *request))


def start(t, *arguments, environment=None):
    """kubefedctl in the background, ended at the latest with the test."""
    process = subprocess.Popen([os.path.join(t.env.bin, "kubefedctl"), *arguments], stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, **(environment or {})})

    def end():
        if process.poll() is None:
            process.kill()
        process.communicate()
    t.cleanup(end)
    return process


def interrupt(process):
    """Ctrl-C; (exit status, stdout, stderr)."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60 * slowness())
    return process.returncode, out, err


def seen(gateways, check):
    """Waits until a request came for which check(letter, method, path) is true."""
    def look():
        assert any(check(*request[:3]) for request in list(gateways.log)), f"not among {gateways.log}"
    eventually(look)
