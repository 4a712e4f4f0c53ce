"""kubefedctl status and get clusters: what is where, what is wrong, since when."""
import json
import os
import signal
import subprocess
import threading
import time

from harness import FCM, MANAGED, eventually, expect, k, kubeconfig_with, make_admin, run_ctl, stays, test, token_for
from terminal import Terminal

SYSTEM = ("--host-cluster-context", "host")


def rows(text):
    """The lines of a table as lists of words, without headings and foot."""
    lines = text.split("\n\n")[0].splitlines()[1:] if "not ready" not in text.split("\n")[0] else text.split("\n\n")[1].splitlines()[1:]
    return [line.split(maxsplit=6) for line in lines]


def row_of(text, name):
    found = [r for r in rows(text) if name in r[:3]]
    assert found, f"no row for {name} in:\n{text}"
    return found[0]


def items(plane, *arguments):
    return {o["name"]: o for o in json.loads(plane.ctl("status", *arguments, "-o", "json"))["objects"]}


@test(smoke=True)
def status_shows_what_is_where_and_what_is_wrong(t):
    plane, namespace = t.main(), t.namespace()
    t.configmap(namespace, "good")
    t.configmap(namespace, "half", clusters=("member1",))
    t.configmap(namespace, "broken", overrides=[{"clusterName": "member2", "clusterOverrides": [
        {"path": "/nowhere", "op": "remove"}]}])
    t.configmap(namespace, "nowhere", clusters=())
    t.configmap(namespace, "selector", clusters=None, selector={"matchExpressions": [{"key": "k", "operator": "Bad"}]})
    t.propagated(FCM, namespace, "good"), t.propagated(FCM, namespace, "half", clusters=["member1"])

    def told():
        found = items(plane, "-n", namespace)
        expect({n: (o["state"], o["problem"]) for n, o in found.items()}, {
            "good": ("Propagated", False), "half": ("Propagated", False), "broken": ("CheckClusters", True),
            "nowhere": ("NotPlaced", False), "selector": ("ComputePlacementFailed", True),
            namespace: ("Propagated", False)}, "states")
    eventually(told)
    text = plane.ctl("status", "-n", namespace)
    expect(row_of(text, "good")[:4], ["configmaps", "good", "2/2", "Propagated"], "good")
    expect(row_of(text, "good")[5], "member1,member2", "where")
    expect(row_of(text, "half")[2:4] + row_of(text, "half")[5:], ["1/1", "Propagated", "member1"], "half")
    broken = row_of(text, "broken")
    expect(broken[2:4] + broken[5:], ["1/2", "CheckClusters", "member1", "ApplyOverridesFailed: member2"], "broken")
    assert "the placement cannot be computed" in " ".join(row_of(text, "selector")), text
    assert text.rstrip().endswith("6 federated objects, 2 with problems"), text
    expect({r[1] for r in rows(plane.ctl("status", "-n", namespace, "--problems"))}, {"broken", "selector"}, "--problems")
    everything = plane.ctl("status", "-A")
    assert everything.startswith("NAMESPACE") or "not ready" in everything.split("\n")[0], everything[:200]
    assert [r for r in rows(everything) if r[:3] == [namespace, "configmaps", "good"]], everything


@test()
def one_object_is_shown_cluster_by_cluster_with_the_last_event(t):
    plane, namespace = t.main(), t.namespace()
    t.configmap(namespace, "bad", overrides=[{"clusterName": "member2", "clusterOverrides": [
        {"path": "/data", "value": {"a/b c": "no key"}}]}])

    def told():
        text = plane.ctl("status", "configmaps", "bad", "-n", namespace)
        assert "CheckClusters" in text and "CreationFailed" in text and "a/b c" in text, text
        lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("member")}
        expect(lines["member1"].split(), ["member1", "OK"], "member1")
        assert " ago" in lines["member2"], lines
    eventually(told, 75)
    text = plane.ctl("status", "configmaps", "bad", "-n", namespace)
    assert f"FederatedConfigMap {namespace}/bad" in text and "Placement:   clusters member1, member2" in text, text


@test()
def a_type_can_be_called_by_any_of_its_names(t):
    plane, namespace = t.main(), t.namespace()
    t.configmap(namespace, "greet")
    t.propagated(FCM, namespace, "greet")
    for word in ("configmaps", "ConfigMap", "cm", "federatedconfigmaps", "FederatedConfigMap", "fcm",
                 "federatedconfigmaps.types.kubefed.io"):
        expect(list(items(plane, word, "-n", namespace)), ["greet"], f"objects of {word}")
    for word, text in (("podtemplates", "is not federated"), ("nonsense", 'Unable to find api resource named "nonsense"')):
        result = plane.run_ctl("status", word)
        expect(result.returncode, 255, f"status of {word}")
        assert text in result.stderr, result.stderr
    assert "Types that are enabled: " in plane.run_ctl("status", "nonsense").stderr
    assert "kubefedctl enable podtemplates" in plane.run_ctl("status", "podtemplates").stderr
    for arguments, text in ((("cm", "nobody", "-n", namespace), f'FederatedConfigMap "{namespace}/nobody" not found'),
                            (("cm", "x", "-A"), "cannot be retrieved by name across all namespaces"),
                            (("a", "b", "c"), "at most a type and a name"), (("-o", "xml"), "Invalid value for --output: xml")):
        result = plane.run_ctl("status", *arguments)
        assert result.returncode == 255 and text in result.stderr, f"{arguments}: {result.stderr}"
    empty = plane.ctl("status", "-n", "no-such-namespace")
    assert 'No federated objects found in namespace "no-such-namespace"' in empty, empty


@test()
def a_deletion_that_waits_and_an_object_that_opted_out_are_problems(t):
    plane, gadgets, proxies = t.private(proxied=("member2",), config={"clusterHealthCheck": {"failureThreshold": 1}})
    for name in ("opted", "waits"):
        gadgets.create(name)
        gadgets.propagated(name)
    t.member1.patch(gadgets.target, plane.namespace, "opted", {"metadata": {"labels": {MANAGED: "false"}}})
    eventually(lambda: expect(items(plane, "-n", plane.namespace)["opted"]["message"], "ManagedLabelFalse: member1", "message"))
    proxies["member2"].refuse()
    eventually(lambda: expect(k.condition(plane.cluster("member2"), "Ready").get("status") != "True", True, "lost"), 90)
    t.host.delete(gadgets.fed, plane.namespace, "waits")

    def told():
        waits = items(plane, "-n", plane.namespace)["waits"]
        expect((waits["state"], waits["problem"], waits["message"]), ("Deleting", True, "ClusterNotReady: member2"), "waits")
        text = plane.ctl("status", "-n", plane.namespace)
        assert text.startswith("1 of 2 clusters is not ready: member2 (ClusterNotReachable for "), text
    eventually(told, 90)

    def shown():
        clusters = plane.ctl("get", "clusters")
        lines = {line.split()[0]: line.split() for line in clusters.splitlines()[1:]}
        expect((lines["member1"][2], lines["member2"][2]), ("True", "False"), "READY")
        assert "ClusterNotReachable:" in lines["member2"], clusters
    eventually(shown)       # one answer of member1 that is late is enough to make it not ready here
    wide = plane.ctl("get", "clusters", "-o", "wide")
    assert "ENDPOINT" in wide and t.env.entry("member1")[0] in wide, wide


@test(smoke=True)
def clusters_are_shown_as_table_names_and_documents(t):
    plane = t.main()
    names = sorted(c["metadata"]["name"] for c in t.host.list(k.KFC, plane.namespace))
    expect(plane.ctl("get", "clusters", "-o", "name").split(), [f"kubefedcluster.core.kubefed.io/{n}" for n in names], "-o name")
    text = plane.ctl("get", "clusters")
    expect(text.split("\n")[0].split(), ["NAME", "AGE", "READY", "KUBERNETES-VERSION", "SINCE", "PROBLEM"], "headings")
    expect([line.split()[0] for line in text.splitlines()[1:]], names, "names")
    document = json.loads(plane.ctl("get", "clusters", "-o", "json"))
    expect((document["kind"], [c["metadata"]["name"] for c in document["items"]]), ("List", names), "-o json")
    one = json.loads(plane.ctl("get", "clusters", "member1", "-o", "json"))
    expect((one["kind"], one["metadata"]["name"]), ("KubeFedCluster", "member1"), "one")
    assert "NAME" not in plane.ctl("get", "clusters", "--no-headers")
    expect(plane.ctl("get", "cluster", "-l", "no=body"), "", "with a selector that nothing matches")
    result = plane.run_ctl("get", "clusters", "nobody")
    assert result.returncode == 255 and '"nobody" not found' in result.stderr, result.stderr


@test()
def a_watch_appends_what_changes_and_ends_with_ctrl_c(t):
    plane, namespace = t.main(), t.namespace()
    t.configmap(namespace, "one")
    t.propagated(FCM, namespace, "one")
    process = subprocess.Popen(
        [os.path.join(t.env.bin, "kubefedctl"), "status", "cm", "-n", namespace, "--watch", "--kubeconfig", t.env.kubeconfig, *SYSTEM],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    t.cleanup(process.kill)
    lines = []

    def read():
        for line in process.stdout:
            lines.append(line.split())
    threading.Thread(target=read, daemon=True).start()
    eventually(lambda: expect([line[:4] for line in lines][1:2], [["configmaps", "one", "2/2", "Propagated"]], "first row"))
    expect(lines[0][:2], ["TYPE", "NAME"], "headings")
    t.configmap(namespace, "two", clusters=("member1",))
    eventually(lambda: expect(lines[-1][1:4], ["two", "1/1", "Propagated"], "the last row"))
    seen = lines[2:]
    assert all(s[1] == "two" for s in seen), f"a row that did not change was shown again: {seen}"
    process.send_signal(signal.SIGINT)
    expect(process.wait(60), 0, "exit status after Ctrl-C")
    expect(process.stderr.read(), "", "stderr")


def on_terminal(t, *arguments, environment=None, lines=24):
    """kubefedctl on a terminal of that many lines and 200 columns; closed with the test."""
    path = os.path.join(t.env.bin, "kubefedctl")
    command = " ".join([path, *arguments, "--kubeconfig", t.env.kubeconfig, *SYSTEM])
    # The size is set before the program looks at it.
    screen = Terminal(["sh", "-c", f"stty rows {lines} cols 200; exec {command}"],
                      {**os.environ, "TERM": "xterm", **(environment or {})})
    t.cleanup(screen.close)
    return screen


@test()
def colour_is_for_terminals_and_not_with_no_color(t):
    plane, namespace = t.main(), t.namespace()
    t.configmap(namespace, "one")
    t.propagated(FCM, namespace, "one")
    on_terminal(t, "status", "-n", namespace).wait("\033[32mPropagated\033[0m")
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        screen = on_terminal(t, "status", "-n", namespace, environment=environment)
        screen.wait("Propagated")
        assert "\033[3" not in screen.text, repr(screen.text)
    assert "\033" not in plane.ctl("status", "-n", namespace)


@test()
def a_watch_on_a_terminal_shows_one_screen_and_ends_with_ctrl_c(t):
    plane, namespace = t.main(), t.namespace()
    for number in range(12):
        t.configmap(namespace, f"n{number}")
    t.propagated(FCM, namespace, "n11")
    screen = on_terminal(t, "status", "-n", namespace, "--watch", lines=10)
    screen.wait("more lines")
    shown = screen.text.rsplit("\033[2J", 1)[1].splitlines()
    assert len(shown) <= 10, shown
    screen.type("\x03")
    eventually(lambda: expect(os.waitid(os.P_PID, screen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None, True, "ended"))
    expect(os.waitid(os.P_PID, screen.pid, os.WEXITED | os.WNOWAIT).si_status, 0, "exit status")


@test()
def who_may_read_only_a_part_is_told_what_is_left_out(t):
    plane, namespace = t.main(), t.namespace()
    t.configmap(namespace, "one")
    t.propagated(FCM, namespace, "one")
    account = t.unique("reader")
    make_admin(t.host, account)
    t.host.delete(k.CLUSTERROLEBINDINGS, None, f"e2e:{account}")
    role = {"metadata": {"name": account}, "rules": [
        {"apiGroups": ["core.kubefed.io"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["types.kubefed.io"], "resources": ["federatedconfigmaps"], "verbs": ["get", "list", "watch"]}]}
    t.host.create(k.CLUSTERROLES, None, role)
    t.cleanup(lambda: t.host.delete(k.CLUSTERROLES, None, account))
    t.host.create(k.CLUSTERROLEBINDINGS, None, {
        "metadata": {"name": account}, "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "default"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": account}})
    t.cleanup(lambda: t.host.delete(k.CLUSTERROLEBINDINGS, None, account))
    token = token_for(t.host, account)

    def change(config):
        user = next(u["user"] for u in config["users"] if u["name"] == "host")
        user.clear()
        user["token"] = token
    path = kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)

    def told():
        result = run_ctl(t.env, "status", "-n", namespace, *SYSTEM, kubeconfig=path)
        expect(result.returncode, 0, f"exit status {result.stderr}")
        expect([r[1] for r in rows(result.stdout)], ["one"], "objects")
        assert "Warning: cannot read federateddeployments.types.kubefed.io" in result.stderr, result.stderr
        assert "list" in result.stderr and token not in result.stderr, result.stderr
    eventually(told)
    result = run_ctl(t.env, "status", "deployments", "-n", namespace, *SYSTEM, kubeconfig=path)
    assert result.returncode == 255 and "forbidden" in result.stderr, result.stderr


@test()
def a_host_that_is_down_is_named_soon(t):
    def change(config):
        next(c["cluster"] for c in config["clusters"] if c["name"] == "host")["server"] = "https://127.0.0.1:1"
    path = kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)
    for verb in (("status",), ("get", "clusters"), ("plan", "cm", "x"), ("doctor",)):
        began = time.monotonic()
        result = run_ctl(t.env, *verb, *SYSTEM, kubeconfig=path)
        assert result.returncode == 255 and "https://127.0.0.1:1" in result.stderr, f"{verb}: {result.stderr}"
        assert time.monotonic() - began < 20, verb


@test()
def a_disabled_type_is_shown_as_not_running(t):
    plane, gadgets, _ = t.private()
    gadgets.create("one")
    gadgets.propagated("one")
    ftc = next(f["metadata"]["name"] for f in t.host.list(k.FTC, plane.namespace) if f["metadata"]["name"] != "namespaces")
    t.host.patch(k.FTC, plane.namespace, ftc, {"spec": {"propagation": "Disabled"}})
    eventually(lambda: expect(items(plane, "-n", plane.namespace)["one"]["state"], "NotRunning", "state"))
    stays(lambda: expect(items(plane, "-n", plane.namespace)["one"]["problem"], True, "problem"), 1)
