"""kubefedctl plan: what would change in which member, and nothing is written (test_plan_agrees holds it to the controller)."""
import base64
import json
import os

from harness import FCM, FNS, MANAGED, eventually, expect, k, kubeconfig_with, run_ctl, test
from test_alone import SLOW

SYSTEM = ("--host-cluster-context", "host")


def documents(t, *objects):
    path = os.path.join(t.env.folder, t.unique("plan") + ".json")
    with open(path, "w") as f:
        json.dump({"apiVersion": "v1", "kind": "List", "items": list(objects)}, f)
    return path


def federated(namespace, name, data, clusters=("member1", "member2"), **spec):
    return {"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedConfigMap", "metadata": {"namespace": namespace, "name": name},
            "spec": {"template": {"data": data}, "placement": {"clusters": [{"name": c} for c in clusters]}, **spec}}


def planned(plane, *arguments, stdin=None):
    """{object name: {cluster: action}} of those where something is or would be."""
    found = json.loads(plane.ctl("plan", *arguments, "-o", "json", stdin=stdin))["objects"]
    return {o["name"]: {c["name"]: c["action"] for c in o["clusters"] if c["action"] != "none"} for o in found}


def everything(t, namespace):
    """resourceVersions of all that could be touched; version records are written by the controller when it gets to it."""
    apis = {"host": t.host, **t.members}
    return {f"{n} {r} {o['metadata']['name']}": o["metadata"]["resourceVersion"] for n, api in apis.items()
            for r in (k.CONFIGMAPS, k.SECRETS, FCM, FNS) if n == "host" or r in (k.CONFIGMAPS, k.SECRETS)
            for o in api.list(r, namespace)}


def come_to_rest(t, namespace):
    """Until the control plane has told how far the namespace is, and Kubernetes has put into it what it puts into every new one."""
    t.propagated(FNS, namespace, namespace)
    for api in (t.host, *t.members.values()):
        def filled(api=api):
            account = api.get(k.SERVICEACCOUNTS, namespace, "default")
            api.get(k.SECRETS, namespace, account["secrets"][0]["name"])
            api.get(k.CONFIGMAPS, namespace, "kube-root-ca.crt")
        eventually(filled)


@test(smoke=True)
def a_file_is_planned_as_a_diff_per_cluster(t):
    plane, namespace = t.main(), t.namespace()
    t.configmap(namespace, "greet", data={"lang": "en", "tea": "3"})
    t.propagated(FCM, namespace, "greet")
    come_to_rest(t, namespace)
    before = everything(t, namespace)
    file = documents(t, federated(namespace, "greet", {"lang": "de", "tea": "3"}, ("member1",)),
                     federated(namespace, "fresh", {"a": "b"}, overrides=[
                         {"clusterName": "member2", "clusterOverrides": [{"path": "/data/a", "value": "c"}]}]))
    text = plane.ctl("plan", "-f", file)
    greet, fresh = text.split("FederatedConfigMap " + namespace + "/")[1:]
    assert greet.startswith("greet\n  ~ member1: update\n") and "\n    -  lang: en\n    +  lang: de\n" in greet, text
    assert "\n  - member2: delete\n" in greet, text
    assert "  + member1: create\n" in fresh and "  + member2: create\n" in fresh, text
    assert "    +  a: b\n" in fresh and "    +  a: c\n" in fresh, text
    assert text.rstrip().endswith("Plan for 2 objects: 2 to create, 1 to update, 1 to delete, 0 unchanged"), text
    assert "lang" not in plane.ctl("plan", "-f", file, "--no-diff")
    expect(planned(plane, "configmaps", "greet", "-n", namespace), {"greet": {"member1": "unchanged", "member2": "unchanged"}},
           "plan of what is there")
    expect(everything(t, namespace), before, "resource versions everywhere")


@test()
def every_action_is_planned_and_nothing_is_written(t):
    plane, namespace = t.main(), t.namespace()
    for name in ("same", "gone", "opted", "orphan"):
        t.configmap(namespace, name)
        t.propagated(FCM, namespace, name)
    t.member1.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "stranger"}, "data": {"x": "y"}})
    t.member1.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "theirs", "labels": {MANAGED: "false"}}})
    come_to_rest(t, namespace)
    before = everything(t, namespace)
    result = planned(plane, "-f", documents(
        t, federated(namespace, "same", {"lang": "en"}), federated(namespace, "stranger", {"x": "z"}, ("member1",)),
        federated(namespace, "theirs", {"x": "z"}, ("member1",)),
        federated(namespace, "broken", {"x": "z"}, overrides=[
            {"clusterName": "member2", "clusterOverrides": [{"path": "/no/where", "op": "remove"}]}]),
        federated(namespace, "invalid", {"not a key": "z"}, ("member1",)), federated(namespace, "empty", {}, ())))
    expect(result, {"same": {"member1": "unchanged", "member2": "unchanged"}, "stranger": {"member1": "adopt"},
                    "theirs": {"member1": "problem"}, "broken": {"member1": "create", "member2": "problem"},
                    "invalid": {"member1": "problem"}, "empty": {}}, "plan")
    expect(planned(plane, "cm", "gone", "-n", namespace, "--delete"), {"gone": {"member1": "delete", "member2": "delete"}}, "delete")
    expect(everything(t, namespace), before, "resource versions everywhere")
    plane.ctl("orphaning-deletion", "enable", "fcm", "orphan", "-n", namespace)
    before = everything(t, namespace)
    expect(planned(plane, "cm", "orphan", "-n", namespace, "--delete"), {"orphan": {"member1": "release", "member2": "release"}},
           "with orphaning")
    expect(everything(t, namespace), before, "resource versions everywhere")


@test()
def a_namespace_in_the_same_file_bounds_what_is_in_it(t):
    plane, name = t.main(), t.unique("planned")
    t.host.create(k.NAMESPACES, None, {"metadata": {"name": name}})
    t.cleanup(lambda: t.host.delete(k.NAMESPACES, None, name))
    space = {"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedNamespace", "metadata": {"name": name, "namespace": name},
             "spec": {"placement": {"clusters": [{"name": "member1"}]}}}
    # The order in the file does not matter.
    found = json.loads(plane.ctl("plan", "-f", documents(t, federated(name, "greet", {"a": "b"}), space), "-o", "json"))["objects"]
    shown = {o["kind"]: {c["name"]: c["action"] for c in o["clusters"] if c["action"] != "none"} for o in found}
    expect(shown, {"FederatedNamespace": {"member1": "create"}, "FederatedConfigMap": {"member1": "create"}}, "plan")
    create = next(c for o in found if o["name"] == "greet" for c in o["clusters"] if c["name"] == "member1")
    assert "does not exist there yet" in create["message"], create
    alone = json.loads(plane.ctl("plan", "-f", documents(t, federated(name, "greet", {"a": "b"})), "-o", "json"))["objects"][0]
    expect(alone["reason"], "NamespaceNotFederated", "reason without the namespace")
    expect(t.member1.find(k.NAMESPACES, None, name), None, "namespace in member1")


@test(smoke=True)
def no_value_of_a_secret_is_shown_anywhere(t):
    plane, namespace = t.main(), t.namespace()
    plain, other = "correct-horse-1", "battery-staple-2"
    texts = [plain, other, base64.b64encode(plain.encode()).decode(), base64.b64encode(other.encode()).decode()]
    t.env.secrets.update(texts)
    plane.ctl("enable", "secrets")
    plane.wait_running("secrets")
    fed = k.FED + "secrets"

    def secret(value, **more):
        return {"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedSecret",
                "metadata": {"namespace": namespace, "name": "pass"}, "spec": {
                    "template": {"data": {"key": base64.b64encode(value.encode()).decode(), **more}},
                    "placement": {"clusters": [{"name": "member1"}]}}}
    eventually(lambda: t.host.create(fed, namespace, secret(plain)))
    eventually(lambda: t.member1.get(k.SECRETS, namespace, "pass"))
    for arguments in (("-f", documents(t, secret(other))), ("-f", documents(t, secret(other, bad="%%%"))),
                      ("secrets", "pass", "-n", namespace), ("secrets", "pass", "-n", namespace, "--delete")):
        for form in ((), ("-o", "json"), ("-o", "yaml")):
            result = plane.run_ctl("plan", *arguments, *form, "-v", "9")
            for text in texts:
                assert text not in result.stdout + result.stderr, f"plan {arguments} {form} shows a value"
    shown = plane.ctl("plan", "-f", documents(t, secret(other)))
    assert "key: '*** (before)'" in shown and "key: '*** (after)'" in shown, shown


@test()
def members_that_cannot_be_asked_are_told_and_the_others_planned(t):
    plane, gadgets, proxies = t.private(proxied=("member2",), config=SLOW)
    gadgets.create("thing")
    gadgets.propagated("thing")
    ftc = gadgets.target.split("/")[-1]
    proxies["member2"].refuse()
    found = json.loads(plane.ctl("plan", ftc, "thing", "-n", plane.namespace, "-o", "json"))["objects"][0]["clusters"]
    shown = {c["name"]: (c["action"], c.get("status")) for c in found}
    expect(shown, {"member1": ("unchanged", None), "member2": ("problem", "CachedRetrievalFailed")}, "while member2 is down")
    proxies["member2"].pass_on()
    secret = plane.cluster("member2")["spec"]["secretRef"]["name"]
    t.host.patch(k.SECRETS, plane.namespace, secret, {"data": {"token": base64.b64encode(b"wrong").decode()}})
    text = plane.ctl("plan", ftc, "thing", "-n", plane.namespace)
    assert "= member1: unchanged" in text and "! member2: CachedRetrievalFailed" in text, text


@test()
def what_the_host_would_refuse_is_an_error_and_the_rest_is_planned(t):
    plane, namespace = t.main(), t.namespace()
    bad = federated(namespace, "bad", {"a": "b"}, overrides=[{"clusterName": "member1", "clusterOverrides": [
        {"op": "move", "path": "/a"}]}])
    result = plane.run_ctl("plan", "-f", documents(t, bad, federated(namespace, "good", {"a": "b"}),
                                                  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}))
    expect(result.returncode, 255, "exit status")
    assert "the host cluster would refuse it" in result.stderr and "should match" in result.stderr, result.stderr
    assert 'Pod "p" is passed over' in result.stderr and "1 object cannot be planned" in result.stderr, result.stderr
    assert f"FederatedConfigMap {namespace}/good" in result.stdout, result.stdout
    for text, words in (("a: [", ("line 2", "column")), ("a: b\n c: d\n", ("line 2", "column"))):
        result = plane.run_ctl("plan", "-f", "-", stdin=text)
        assert result.returncode == 255 and all(w in result.stderr for w in words), result.stderr
    result = plane.run_ctl("plan", "-f", "-", stdin="# nothing\n")
    assert result.returncode == 0 and "There is no federated object" in result.stderr, result.stderr
    for arguments, words in (((), "TYPE-NAME is required"), (("cm",), "RESOURCE-NAME is required"),
                             (("-f", "x", "y"), "does not take any args"), (("cm", "nobody"), "not found"),
                             (("-f", "/nowhere"), "no such file"), (("cm", "x", "--behavior", "Nonsense=true"), "Nonsense")):
        result = plane.run_ctl("plan", *arguments)
        assert result.returncode == 255 and words in result.stderr, f"{arguments}: {result.stderr}"


@test()
def the_exit_code_tells_on_demand_whether_something_would_change(t):
    plane, namespace = t.main(), t.namespace()
    t.configmap(namespace, "greet")
    t.propagated(FCM, namespace, "greet")
    change = documents(t, federated(namespace, "greet", {"lang": "de"}))
    same = documents(t, federated(namespace, "greet", {"lang": "en"}))
    expect([plane.run_ctl("plan", "-f", f, *flag).returncode for f in (change, same) for flag in ((), ("--exit-code",))],
           [0, 2, 0, 0], "exit status")


@test()
def who_may_only_read_gets_a_plan_too(t):
    """Without the right to try it on the host, the file is merged here."""
    plane, namespace = t.main(), t.namespace()
    t.configmap(namespace, "greet")
    t.propagated(FCM, namespace, "greet")
    account = t.unique("reader")
    t.host.create(k.SERVICEACCOUNTS, "default", {"metadata": {"name": account}})
    t.host.create(k.CLUSTERROLES, None, {"metadata": {"name": account}, "rules": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]})
    t.cleanup(lambda: t.host.delete(k.CLUSTERROLES, None, account))
    t.host.create(k.CLUSTERROLEBINDINGS, None, {
        "metadata": {"name": account}, "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "default"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": account}})
    t.cleanup(lambda: t.host.delete(k.CLUSTERROLEBINDINGS, None, account))
    answer = t.host.call("POST", f"/api/v1/namespaces/default/serviceaccounts/{account}/token",
                         {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    token = answer["status"]["token"]
    t.env.secrets.add(token)

    def change(config):
        user = next(u["user"] for u in config["users"] if u["name"] == "host")
        user.clear()
        user["token"] = token
    path = kubeconfig_with(t.env, t.env.folder, t.unique("kubeconfig"), change)
    file = documents(t, federated(namespace, "greet", {"lang": "de"}, ("member1",)))

    def told():
        result = run_ctl(t.env, "plan", "-f", file, *SYSTEM, kubeconfig=path)
        expect(result.returncode, 0, f"exit status: {result.stderr}")
        assert "cannot be asked what it would make of the object" in result.stderr, result.stderr
        assert "~ member1: update" in result.stdout and "- member2: delete" in result.stdout, result.stdout
    eventually(told)
    assert plane.run_ctl("plan", "-f", file).returncode == 0
