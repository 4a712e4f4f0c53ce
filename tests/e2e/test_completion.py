"""Completion of shells: every kind of candidate from real clusters, servers that are dead or hostile, real shells."""
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import time

import faults
from cli_cases import closed_port
from harness import FCM, FDEPLOY, Skip, expect, eventually, k, kubeconfig_with, run_ctl, slowness, test
from terminal import Terminal

CONTEXTS = ["host", "member1", "member2", "member3"]


def answer(t, *words, kubeconfig=None):
    """Lines of the answer to these words, the last of which is being completed; nothing may be said on stderr."""
    result = run_ctl(t.env, "__complete", "--kubeconfig", kubeconfig or t.env.kubeconfig, "--host-cluster-context",
                     "host", *words, kubeconfig=False)
    expect((result.returncode, result.stderr), (0, ""), f"exit status and stderr of {words}")
    return result.stdout.splitlines()


def answer_in_time(t, *words, kubeconfig=None):
    """What comes after three seconds is not waited for, as it should be: on a busy machine the question is put again."""
    deadline = time.monotonic() + 90 * slowness()
    while True:
        began = time.monotonic()
        lines = answer(t, *words, kubeconfig=kubeconfig)
        if len(lines) > 1 or time.monotonic() - began < 2.5 or time.monotonic() > deadline:
            return lines


def candidates(t, *words, kubeconfig=None):
    """The candidates without their descriptions."""
    lines = answer_in_time(t, *words, kubeconfig=kubeconfig)
    expect(lines[-1], ":4", f"the directive for {words}")
    return [line.split("\t")[0] for line in lines[:-1]]


def own_namespace(t):
    """A namespace whose name does not begin that of any other: ns-1 begins ns-10, which another test may make just now."""
    name = t.unique("completed") + "-own"
    t.host.create(k.NAMESPACES, None, {"metadata": {"name": name}})
    t.cleanup(lambda: t.host.delete(k.NAMESPACES, None, name, missing_ok=True))
    return name


def objects(t, *names, resource=k.CONFIGMAPS, namespace=None):
    namespace = namespace or own_namespace(t)
    for name in names:
        t.host.create(resource, namespace, {"metadata": {"name": name}})
    return namespace


# ---- candidates

@test(smoke=True)
def clusters_are_completed_for_unjoin(t):
    t.main()
    expect(candidates(t, "unjoin", "member"), ["member1", "member2"], "clusters that begin with member")
    expect(candidates(t, "unjoin", ""), ["host", "member1", "member2"], "clusters")
    expect(candidates(t, "get", "clusters", "member2"), ["member2"], "clusters for get")
    eventually(lambda: expect(answer_in_time(t, "unjoin", "member1"), ["member1\tready", ":4"], "with the state"))


@test()
def the_control_plane_of_the_words_before_is_asked(t):
    t.main()
    plane = t.plane("completion")
    plane.add_member("member3", name="elsewhere")
    expect(candidates(t, "unjoin", "--kubefed-namespace", plane.namespace, ""), ["elsewhere"], "clusters there")
    expect(candidates(t, f"--kubefed-namespace={plane.namespace}", "unjoin", "e"), ["elsewhere"], "clusters there")
    expect(candidates(t, "unjoin", "e"), [], "clusters of the other control plane")


@test(smoke=True)
def contexts_are_completed(t):
    for words in (("join", ""), ("join", "x", "--cluster-context", ""), ("enable", "--host-cluster-context", ""),
                  ("unjoin", "x", "--cluster-context=")):
        expect(candidates(t, *words), CONTEXTS, f"candidates for {words}")
    expect(candidates(t, "join", "member"), CONTEXTS[1:], "contexts that begin with member")


@test()
def namespaces_are_completed(t):
    one, two = own_namespace(t), own_namespace(t)
    for words in (("federate", "cm", "x", "-n"), ("join", "--kubefed-namespace"), ("status", "--namespace")):
        found = candidates(t, *words, "")
        # No more than 500 are shown, and many tests leave namespaces.
        assert {one, two, "default", "kube-system"} <= set(found) or len(found) == 500, f"{words}: {found}"
        for name in (one, two, "default", "kube-system"):
            expect(candidates(t, *words, name), [name], f"{words} with a prefix")


@test()
def api_types_that_are_not_federated_are_completed_for_enable(t):
    t.main()
    found = candidates(t, "enable", "")
    assert {"configmaps", "secrets", "deployments.apps", "jobs.batch", "cronjobs.batch"} <= set(found), found
    wrong = [name for name in found if name.startswith("federated") and name.endswith(".types.kubefed.io")]
    expect(wrong, [], "federated types among the candidates")
    for name in ("tokenreviews.authentication.k8s.io", "bindings", "pods/log", "deployments"):
        assert name not in found, f"{name} cannot be federated"
    expect(candidates(t, "enable", "deploym"), ["deployments.apps"], "types that begin with deploym")


@test()
def type_configs_are_completed_for_disable(t):
    t.main()
    found = candidates(t, "disable", "")
    assert {"namespaces", "configmaps", "deployments.apps", "services"} <= set(found), found
    expect(candidates(t, "disable", "deploy"), ["deployments.apps"], "type configs that begin with deploy")


@test(smoke=True)
def federate_completes_types_and_then_objects(t):
    t.main()
    assert {"namespaces", "configmaps", "deployments.apps"} <= set(candidates(t, "federate", "")), "types"
    namespace = objects(t, "greet", "green", "blue")
    for kind in ("configmaps", "configmap", "cm", "ConfigMap"):
        expect(candidates(t, "federate", "-n", namespace, kind, "gre"), ["green", "greet"], f"objects of {kind}")
    expect(candidates(t, "federate", "configmaps", "-n", namespace, "b"), ["blue"], "objects with -n after the type")
    expect(candidates(t, "federate", "namespaces", namespace), [namespace], "an object of cluster scope")
    expect(candidates(t, "federate", "-n", namespace, "nosuchtype", ""), [], "objects of an unknown type")


@test()
def a_type_that_is_not_enabled_is_completed_with_its_objects(t):
    t.main()
    namespace = objects(t, "one", "two", resource=k.SECRETS)
    expect(candidates(t, "federate", "-t", "-n", namespace, "secrets", "o"), ["one"], "Secrets")


@test()
def federated_types_and_objects_are_completed(t):
    t.main()
    namespace = t.namespace()
    for name in ("web", "worker"):
        t.host.create(FDEPLOY, namespace, {"metadata": {"name": name}, "spec": {"placement": {"clusters": []}}})
    t.host.create(FCM, namespace, {"metadata": {"name": "settings"}, "spec": {"placement": {"clusters": []}}})
    for verb in (("orphaning-deletion", "enable"), ("orphaning-deletion", "status"), ("status",), ("plan",)):
        types = candidates(t, *verb, "")
        assert {"federateddeployments", "federatedconfigmaps", "federatednamespaces"} <= set(types), f"{verb}: {types}"
        assert "deployments.apps" not in types, types
        expect(candidates(t, *verb, "federatedc"), ["federatedconfigmaps"], f"{verb} with a prefix")
        for name in ("federateddeployments", "FederatedDeployment", "deployments", "deploy"):
            expect(candidates(t, *verb, "-n", namespace, name, "w"), ["web", "worker"], f"{verb} {name}")
    expect(candidates(t, "status", "-n", namespace, "federatedconfigmaps", ""), ["settings"], "FederatedConfigMaps")
    expect(candidates(t, "status", "-n", namespace, "federatednamespaces", ""), [namespace], "FederatedNamespaces")


@test()
def the_namespace_of_the_context_is_the_default(t):
    namespace = objects(t, "only-here")

    def change(config):
        for context in config["contexts"]:
            context["context"]["namespace"] = namespace
    path = kubeconfig_with(t.env, t.env.folder, t.unique("completion") + ".json", change)
    expect(candidates(t, "federate", "configmaps", "only", kubeconfig=path), ["only-here"], "objects")


@test()
def files_are_left_to_the_shell(t):
    for words in (("join", "--kubeconfig", ""), ("enable", "-f", "x"), ("federate", "--filename=")):
        expect(answer(t, *words), [":0"], f"answer to {words}")


@test()
def no_more_than_500_candidates(t):
    namespace = t.namespace(federate=False)
    threads = [threading.Thread(target=objects, args=(t, *(f"many-{i:04}" for i in range(start, start + 65))),
                                kwargs={"namespace": namespace}) for start in range(0, 520, 65)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(candidates(t, "federate", "-n", namespace, "configmaps", "many"), [f"many-{i:04}" for i in range(500)],
           "candidates of 520 objects")
    expect(candidates(t, "federate", "-n", namespace, "configmaps", "many-0519"), ["many-0519"], "the last object")


# ---- servers that do not answer, or badly

def with_server(t, url):
    """A kubeconfig whose clusters are at that URL."""
    def change(config):
        for cluster in config["clusters"]:
            cluster["cluster"] = {"server": url, **({"insecure-skip-tls-verify": True} if url[4] == "s" else {})}
    return kubeconfig_with(t.env, t.env.folder, t.unique("completion-server") + ".json", change)


def nothing_soon(t, kubeconfig):
    for words in (("unjoin", ""), ("enable", ""), ("federate", "configmaps", ""), ("federate", "-n", "")):
        began = time.monotonic()
        expect(answer(t, *words, kubeconfig=kubeconfig), [":4"], f"answer to {words}")
        seconds = time.monotonic() - began
        # Three for the answer; a request that is not given up has thirty. The rest is for a busy machine.
        assert seconds < 15 * slowness(), f"{words} took {seconds:.1f} s"


@test(smoke=True)
def a_server_that_hangs_costs_three_seconds(t):
    server, port = t.host.server.split("//")[1].rsplit(":", 1)
    proxy = faults.Proxy(server.strip("[]"), int(port.strip("/")))
    t.cleanup(proxy.close)
    proxy.hang()
    nothing_soon(t, with_server(t, f"https://127.0.0.1:{proxy.port}"))


@test()
def a_server_that_refuses_costs_nothing(t):
    nothing_soon(t, with_server(t, f"https://127.0.0.1:{closed_port(t)}"))


@test()
def an_endless_answer_ends(t):
    flood = faults.Flood()
    t.cleanup(flood.close)
    nothing_soon(t, with_server(t, f"http://127.0.0.1:{flood.port}"))


@test()
def wrong_credentials_and_kubeconfigs_are_no_errors(t):
    def change(config):
        for user in config["users"]:
            user["user"] = {"token": "not-a-token-that-anyone-knows"}
    nothing_soon(t, kubeconfig_with(t.env, t.env.folder, t.unique("completion-token") + ".json", change))
    nothing_soon(t, "/no/such/kubeconfig")
    expect(answer(t, "join", "", kubeconfig="/no/such/kubeconfig"), [":4"], "contexts of no file")


class Names:
    """An API server that answers every list with these names."""

    def __init__(self, names):
        body = json.dumps({"kind": "List", "apiVersion": "v1", "metadata": {},
                           "items": [{"metadata": {"name": name}} for name in names]}).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@test()
def names_that_would_harm_are_left_out(t):
    server = Names(["good", "new\nline", "tab\there", "\x1b[2Jx", "$(touch x)", "`x`", "a;b", "--flag", ":0",
                    "x\x85y", "better", ""])
    t.cleanup(server.close)
    path = with_server(t, f"http://127.0.0.1:{server.port}")
    expect(answer_in_time(t, "federate", "-n", "", kubeconfig=path), [":0", "better", "good", ":4"], "names")
    expect(answer_in_time(t, "unjoin", "", kubeconfig=path), [":0", "better", "good", ":4"], "clusters")


# ---- shells

WRAPPER = """#!/bin/sh
case $1 in
__complete | completion) exec {program} "$@" ;;
esac
for word; do printf '%s\\n' "$word"; done >{arguments}.new
mv {arguments}.new {arguments}
"""


class Shells:
    """kubefedctl in a folder of its own: completions are real, anything else only notes the words that it got."""

    def __init__(self, t, name="kubefedctl"):
        self.folder = os.path.join(t.env.folder, t.unique("shell"))
        self.arguments = os.path.join(self.folder, "arguments")
        os.mkdir(self.folder)
        program = os.path.join(self.folder, name)
        with open(program, "w") as f:
            f.write(WRAPPER.format(program=os.path.join(t.env.bin, "kubefedctl"), arguments=self.arguments))
        os.chmod(program, 0o755)
        self.environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "TERM": "dumb",
                            "HOME": self.folder, "ZDOTDIR": self.folder, "KUBECONFIG": self._contexts(t)}

    def _contexts(self, t):
        def change(config):
            names = ["host", "admin@edge", "arn:aws:x/one", "arn:aws:x/two", "with space",
                     f"$(touch {self.folder}/harm)"]
            context = config["contexts"][0]["context"]
            config["contexts"] = [{"name": name, "context": context} for name in names]
        return kubeconfig_with(t.env, self.folder, "config.json", change)

    def typed(self, command, keys):
        """The words that kubefedctl gets when these keys are pressed in that shell."""
        if os.path.exists(self.arguments):
            os.remove(self.arguments)
        terminal = Terminal(command, self.environment)
        try:
            terminal.wait("READY> ")
            for part in re.findall(r"[^\t]+\t?|\t", keys):
                terminal.type(part)
                terminal.settle()
            terminal.type("\r")
            eventually(lambda: self._noted(terminal))
        finally:
            terminal.close()
        assert not os.path.exists(os.path.join(self.folder, "harm")), "a candidate was run"
        with open(self.arguments) as f:
            return f.read().splitlines()

    def _noted(self, terminal):
        assert os.path.exists(self.arguments), f"the command was not run; the terminal shows {terminal.text[-2000:]!r}"


# What is typed, and the words that come of it.
KEYS = [
    ("kubefedctl joi\tadm\t", ["join", "admin@edge"]),
    ("kubefedctl join arn:aws:x/o\t", ["join", "arn:aws:x/one"]),
    ("kubefedctl join arn\to\t", ["join", "arn:aws:x/one"]),
    ("kubefedctl join wi\t", ["join", "with space"]),
    ("kubefedctl join 'wi\t", ["join", "with space"]),
    ("kubefedctl join x --cluster-context=arn:aws:x/o\t", ["join", "x", "--cluster-context=arn:aws:x/one"]),
    ("kubefedctl join x --host-cluster-c\tadm\t", ["join", "x", "--host-cluster-context", "admin@edge"]),
    ("kubefedctl join x --kubeconfig {folder}/conf\t", ["join", "x", "--kubeconfig", "{folder}/config.json"]),
    ("kubefedctl join x --kubeconfig={folder}/conf\t", ["join", "x", "--kubeconfig={folder}/config.json"]),
    ("kubefedctl join x --kubeconfig ~/config.json --cluster-context ho\t",
     ["join", "x", "--kubeconfig", "{folder}/config.json", "--cluster-context", "host"]),
    ("~/kubefedctl join adm\t", ["join", "admin@edge"]),
    ("kubefedctl join \\$\\(to\t", ["join", "$(touch {folder}/harm)"]),
]


def check_keys(shells, command):
    for keys, words in KEYS:
        keys, words = keys.format(folder=shells.folder), [w.format(folder=shells.folder) for w in words]
        expect(shells.typed(command, keys), words, f"words after {keys!r}")


def need(shell):
    if not shutil.which(shell):
        raise Skip(f"{shell} is not installed")


@test()
def bash_completes_what_is_typed(t):
    shells = Shells(t)
    path = os.path.join(shells.folder, "rc")
    with open(path, "w") as f:
        f.write("PS1='READY> '\nsource <(kubefedctl completion bash)\n")
    check_keys(shells, ["bash", "--noprofile", "--rcfile", path, "-i"])


@test()
def zsh_completes_what_is_typed(t):
    need("zsh")
    shells = Shells(t)
    with open(os.path.join(shells.folder, ".zshrc"), "w") as f:
        f.write("PS1='READY> '\nunsetopt zle_bracketed_paste\nautoload -Uz compinit\ncompinit -u -D\n"
                "source <(kubefedctl completion zsh)\n")
    check_keys(shells, ["zsh", "-d", "-i"])


@test()
def zsh_finds_the_script_in_fpath(t):
    need("zsh")
    shells = Shells(t)
    script = run_ctl(t.env, "completion", "zsh", kubeconfig=False).stdout
    with open(os.path.join(shells.folder, "_kubefedctl"), "w") as f:
        f.write(script)
    with open(os.path.join(shells.folder, ".zshrc"), "w") as f:
        f.write("PS1='READY> '\nfpath=(~ $fpath)\nautoload -Uz compinit\ncompinit -u -D\n")
    expect(shells.typed(["zsh", "-d", "-i"], "kubefedctl joi\tadm\t"), ["join", "admin@edge"], "words")


def fish(shells, line):
    """Candidates of fish for that line; each is a whole word."""
    script = 'kubefedctl completion fish | source; complete -C "$LINE"'
    result = subprocess.run(["fish", "--no-config", "-c", script], env={**shells.environment, "LINE": line}, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90)
    expect((result.returncode, result.stderr), (0, ""), f"exit status and stderr of fish for {line}")
    return sorted(one.split("\t")[0] for one in result.stdout.splitlines())


@test()
def fish_completes_lines(t):
    need("fish")
    shells = Shells(t)
    for line, words in (
            ("kubefedctl joi", ["join"]),
            ("kubefedctl join arn:aws:x/o", ["arn:aws:x/one"]),
            ("kubefedctl join x --cluster-context=a",
             ["--cluster-context=" + name for name in ("admin@edge", "arn:aws:x/one", "arn:aws:x/two")]),
            ("kubefedctl join --kubeconfig ~/config.json wi", ["with space"]),
            ("kubefedctl join x --kubeconfig=" + shells.folder + "/conf",
             ["--kubeconfig=" + shells.folder + "/config.json"]),
            ("kubefedctl unjoin --for", ["--force"])):
        expect(fish(shells, line), words, f"candidates of fish for {line!r}")


@test()
def kubectl_completes_its_plugin(t):
    version = subprocess.run(["kubectl", "version", "--client"], stdin=subprocess.DEVNULL, text=True, timeout=90,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    found = re.search(r"v1\.(\d+)", version)
    if not found or int(found.group(1)) < 26:
        raise Skip("kubectl completes plugins from 1.26 on")
    shells = Shells(t, "kubectl-fed")
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    shutil.copy(os.path.join(top, "src", "main", "share", "kubectl_complete-fed"), shells.folder)
    result = subprocess.run(["kubectl", "__complete", "fed", "join", "adm"], env=shells.environment, text=True,
                            timeout=90, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    expect(result.stdout.splitlines(), ["admin@edge", ":4"], "answer of kubectl")
