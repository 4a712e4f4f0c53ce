"""Overrides (controllers.md 5.7, api-and-cli.md 7.14, 7.15)."""
from harness import FCM, FDEPLOY, MANAGED, eventually, expect, k, test


def overrides(cluster, *operations):
    return {"clusterName": cluster, "clusterOverrides": list(operations)}


def live(t, member, namespace, name="greet", resource=k.CONFIGMAPS):
    return t.members[member].get(resource, namespace, name)


@test(smoke=True)
def each_member_gets_its_overrides(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace, overrides=[overrides(
        "member2", {"path": "/data/lang", "value": "pl"}, {"path": "/metadata/annotations", "op": "add", "value": {"note": "edge"}})])
    t.propagated(FCM, namespace, "greet")
    expect(live(t, "member1", namespace)["data"], {"lang": "en"}, "data in member1")
    assert not live(t, "member1", namespace)["metadata"].get("annotations"), "annotations in member1"
    expect(live(t, "member2", namespace)["data"], {"lang": "pl"}, "data in member2")
    expect(live(t, "member2", namespace)["metadata"]["annotations"], {"note": "edge"}, "annotations in member2")


@test(smoke=True)
def replace_of_a_missing_member_adds_it(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace, clusters=["member1"], overrides=[overrides(
        "member1", {"op": "replace", "path": "/data/new", "value": "x"}, {"path": "/immutable", "value": False},
        {"op": "remove", "path": "/data/lang"}, {"op": "add", "path": "/data/a~1b.c", "value": "y"})])

    def refused():
        clusters = t.host.get(FCM, namespace, "greet")["status"]["clusters"]
        expect(clusters, [{"name": "member1", "status": "CreationFailed"}], "clusters: a slash is no key of a ConfigMap")
    eventually(refused)
    t.edit(FCM, namespace, "greet", lambda o: o["spec"]["overrides"][0]["clusterOverrides"].pop())
    t.propagated(FCM, namespace, "greet", ["member1"])
    expect(live(t, "member1", namespace)["data"], {"new": "x"}, "data")


@test()
def arrays_are_patched_by_index(t):
    t.main()
    namespace = t.namespace(["member1"])
    template = {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "one", "image": "i:1"}, {"name": "two", "image": "i:2"}]}}}}
    path = "/spec/template/spec/containers"
    t.federate(FDEPLOY, namespace, "web", template, clusters=["member1"], overrides=[overrides(
        "member1", {"op": "add", "path": f"{path}/0", "value": {"name": "zero", "image": "i:0"}}, {"op": "remove", "path": f"{path}/1"},
        {"op": "add", "path": f"{path}/-", "value": {"name": "last", "image": "i:9"}}, {"path": f"{path}/1/image", "value": "i:22"})])
    t.propagated(FDEPLOY, namespace, "web", ["member1"])
    containers = live(t, "member1", namespace, "web", k.DEPLOYMENTS)["spec"]["template"]["spec"]["containers"]
    expect([(c["name"], c["image"]) for c in containers], [("zero", "i:0"), ("two", "i:22"), ("last", "i:9")], "containers")


@test(smoke=True)
def the_managed_label_cannot_be_overridden(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace, clusters=["member1"], overrides=[overrides(
        "member1", {"op": "add", "path": "/metadata/labels", "value": {"a": "b", MANAGED: "false"}})])
    t.propagated(FCM, namespace, "greet", ["member1"])
    expect(live(t, "member1", namespace)["metadata"]["labels"], {"a": "b", MANAGED: "true"}, "labels")


@test(smoke=True)
def a_failing_override_hurts_only_its_cluster(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace, overrides=[overrides("member2", {"op": "remove", "path": "/data/zz"})])

    def reported():
        obj = t.host.get(FCM, namespace, "greet")
        expect(obj["status"]["clusters"], [{"name": "member1"}, {"name": "member2", "status": "ApplyOverridesFailed"}], "clusters")
        condition = k.condition(obj, "Propagation")
        expect((condition["status"], condition["reason"]), ("False", "CheckClusters"), "condition")
    eventually(reported)
    expect(live(t, "member1", namespace)["data"], {"lang": "en"}, "data in member1")
    expect(t.member2.find(k.CONFIGMAPS, namespace, "greet"), None, "object in member2")
    t.edit(FCM, namespace, "greet", lambda o: o["spec"].pop("overrides"))
    t.propagated(FCM, namespace, "greet")


@test(smoke=True)
def forbidden_and_repeated_paths_fail_every_cluster(t):
    t.main()
    namespace = t.namespace()
    cases = {
        "name": [overrides("member1", {"path": "/metadata/name", "value": "x"})],
        "namespace": [overrides("member1", {"path": "/metadata/namespace", "value": "x"})],
        "generate-name": [overrides("member2", {"path": "/metadata/generateName", "value": "x"})],
        "kind": [overrides("member2", {"op": "replace", "path": "/kind", "value": "Secret"})],
        "twice": [overrides("member1", {"path": "/data/a", "value": "1"}, {"path": "/data/a", "value": "2"})],
        "cluster-twice": [overrides("member1", {"path": "/data/a", "value": "1"}), overrides("member1", {"path": "/data/b", "value": "2"})],
    }
    for name, value in cases.items():
        t.configmap(namespace, name, overrides=value)
    for name in cases:
        eventually(lambda n=name: expect(
            t.host.get(FCM, namespace, n)["status"]["clusters"],
            [{"name": m, "status": "ApplyOverridesFailed"} for m in ("member1", "member2")], f"clusters of {n}"))
        for member, api in t.members.items():
            expect(api.find(k.CONFIGMAPS, namespace, name), None, f"{name} in {member}")


@test()
def containers_of_forbidden_paths_do_not_get_round_the_ban(t):
    """Replacing /metadata or the whole document must not rename anything or change its kind."""
    t.main()
    namespace = t.namespace(["member1"])
    cases = {
        "metadata": {"path": "/metadata", "value": {"name": "renamed", "namespace": "default"}},
        "document": {"path": "", "value": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "renamed"}}},
        "no-value": {"path": ""},
        "scalar": {"path": "/metadata", "value": 5},
        "null": {"path": "/metadata"},
        "escaped": {"path": "/metadata/~0name/x", "value": "y"},
    }
    for name, operation in cases.items():
        t.configmap(namespace, name, clusters=["member1"], overrides=[overrides("member1", operation)])

    for name in cases:
        def judged():
            clusters = t.host.get(FCM, namespace, name)["status"]["clusters"]
            expect(clusters, [{"name": "member1", "status": "ApplyOverridesFailed"}], f"clusters of {name}")
        eventually(judged)
    for resource in (k.CONFIGMAPS, k.SECRETS):
        for where in (namespace, "default"):
            expect(t.member1.find(resource, where, "renamed"), None, f"{resource} {where}/renamed")


@test()
def overrides_of_clusters_that_are_not_placed_are_ignored(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace, clusters=["member1"], overrides=[
        overrides("member2", {"op": "remove", "path": "/no/such/thing"}), overrides("atlantis", {"path": "/data/a", "value": "1"})])
    t.propagated(FCM, namespace, "greet", ["member1"])


@test()
def big_numbers_survive(t):
    _, gadgets, _ = t.private(members=("member1",))
    plane = gadgets.plane
    t.federate(gadgets.fed, plane.namespace, "numbers", {"spec": {"big": 9007199254740993, "negative": -9223372036854775808}},
               clusters=["member1"], overrides=[overrides("member1", {"path": "/spec/patched", "value": 9007199254740995},
                                                          {"path": "/spec/float", "value": 1.5})])
    gadgets.propagated("numbers", ["member1"])
    expect(gadgets.in_member("member1", "numbers")["spec"],
           {"big": 9007199254740993, "negative": -9223372036854775808, "patched": 9007199254740995, "float": 1.5}, "spec")


@test()
def an_override_beside_retained_annotations(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace, clusters=["member1"])
    t.propagated(FCM, namespace, "greet", ["member1"])
    t.member1.patch(k.CONFIGMAPS, namespace, "greet", {"metadata": {"annotations": {"x": "1"}}})
    t.edit(FCM, namespace, "greet", lambda o: o["spec"].update(overrides=[overrides(
        "member1", {"op": "add", "path": "/metadata/annotations/note", "value": "edge"})]))
    t.propagated(FCM, namespace, "greet", ["member1"])
    expect(live(t, "member1", namespace)["metadata"]["annotations"], {"x": "1", "note": "edge"}, "annotations")


@test()
def removing_an_override_brings_the_template_back(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace, overrides=[overrides("member1", {"path": "/data/lang", "value": "pl"})])
    t.propagated(FCM, namespace, "greet")
    expect(live(t, "member1", namespace)["data"], {"lang": "pl"}, "data in member1")
    t.edit(FCM, namespace, "greet", lambda o: o["spec"].update(overrides=[overrides("member2", {"path": "/data/lang", "value": "de"})]))
    t.propagated(FCM, namespace, "greet")
    expect([live(t, m, namespace)["data"]["lang"] for m in ("member1", "member2")], ["en", "de"], "lang")
