"""What reaches the members: kinds, placement, template changes, drift, retained fields (controllers.md 5)."""
from harness import (FCM, FDEPLOY, FNS, FSVC, MANAGED, SYNC_FINALIZER, SYSTEM, eventually, expect, k, show, stays, test)


def deployment(replicas=2, image="nginx:1.25", **spec):
    return {"metadata": {"labels": {"app": "web"}}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}},
                     "spec": {"containers": [{"name": "c", "image": image}]}}, **spec}}


def label_of(obj):
    return (obj["metadata"].get("labels") or {}).get(MANAGED)


@test(smoke=True)
def a_configmap_reaches_the_placed_members(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace, data={"lang": "en", "multi": "a\nb\n", "utf8": "grüße €\u2028"})
    fed = t.propagated(FCM, namespace, "greet")
    assert SYNC_FINALIZER in fed["metadata"]["finalizers"], fed["metadata"]
    for name, member in t.members.items():
        obj = member.get(k.CONFIGMAPS, namespace, "greet")
        expect(obj["data"], {"lang": "en", "multi": "a\nb\n", "utf8": "grüße €\u2028"}, f"data in {name}")
        expect(obj["metadata"]["labels"], {MANAGED: "true"}, f"labels in {name}")
    expect(t.host.find(k.CONFIGMAPS, namespace, "greet"), None, "the host itself is not placed")


@test(smoke=True)
def a_deployment_runs_in_every_member(t):
    t.main()
    namespace = t.namespace()
    t.federate(FDEPLOY, namespace, "web", deployment(), overrides=[
        {"clusterName": "member2", "clusterOverrides": [
            {"path": "/spec/replicas", "value": 5},
            {"path": "/spec/template/spec/containers/0/image", "value": "nginx:1.27"}]}])
    t.propagated(FDEPLOY, namespace, "web")
    for name, replicas, image in (("member1", 2, "nginx:1.25"), ("member2", 5, "nginx:1.27")):
        obj = t.members[name].get(k.DEPLOYMENTS, namespace, "web")
        expect(obj["spec"]["replicas"], replicas, f"replicas in {name}")
        expect(obj["spec"]["template"]["spec"]["containers"][0]["image"], image, f"image in {name}")
        expect(obj["metadata"]["labels"], {"app": "web", MANAGED: "true"}, f"labels in {name}")


@test(smoke=True)
def a_service_keeps_what_each_member_assigned(t):
    t.main()
    namespace = t.namespace()
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    t.federate(FSVC, namespace, "web", {"spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": ports}})
    t.propagated(FSVC, namespace, "web")
    before = {name: m.get(k.SERVICES, namespace, "web")["spec"] for name, m in t.members.items()}

    def change(obj):
        obj["spec"]["template"]["spec"]["selector"] = {"app": "other"}
        obj["spec"]["template"]["spec"]["ports"] = ports + [{"name": "more", "port": 8080, "protocol": "TCP"}]
    t.edit(FSVC, namespace, "web", change)
    t.propagated(FSVC, namespace, "web")
    for name, member in t.members.items():
        spec = member.get(k.SERVICES, namespace, "web")["spec"]
        expect(spec["selector"], {"app": "other"}, f"selector in {name}")
        expect(spec["clusterIP"], before[name]["clusterIP"], f"clusterIP in {name}")
        expect([p["nodePort"] for p in spec["ports"]][:2], [p["nodePort"] for p in before[name]["ports"]],
               f"node ports in {name}")


@test()
def node_ports_stay_without_a_protocol_in_the_template(t):
    """An absent protocol is TCP."""
    t.main()
    namespace = t.namespace(["member1"])
    t.federate(FSVC, namespace, "web", {"spec": {"type": "NodePort", "ports": [{"name": "http", "port": 80}]}},
               clusters=["member1"])
    t.propagated(FSVC, namespace, "web", ["member1"])
    before = t.member1.get(k.SERVICES, namespace, "web")["spec"]["ports"][0]["nodePort"]
    t.edit(FSVC, namespace, "web", lambda o: o["spec"]["template"].update(metadata={"labels": {"a": "b"}}))
    t.propagated(FSVC, namespace, "web", ["member1"])
    obj = t.member1.get(k.SERVICES, namespace, "web")
    expect(obj["metadata"]["labels"], {"a": "b", MANAGED: "true"}, "labels")
    expect(obj["spec"]["ports"][0]["nodePort"], before, "node port")


@test(smoke=True)
def a_namespace_reaches_the_placed_members(t):
    t.main()
    namespace = t.namespace(["member2"])
    t.propagated(FNS, namespace, namespace, ["member2"])
    expect(label_of(t.member2.get(k.NAMESPACES, None, namespace)), "true", "managed label")
    expect(t.member1.find(k.NAMESPACES, None, namespace), None, "namespace in member1")
    expect(label_of(t.host.get(k.NAMESPACES, None, namespace)), None, "managed label on the host, which is no member of it")


@test()
def labels_of_a_namespace_template_reach_the_members(t):
    t.main()
    namespace = t.namespace(federate=False)
    t.host.create(FNS, namespace, {"metadata": {"name": namespace}, "spec": {
        "template": {"metadata": {"labels": {"team": "a"}}, "spec": {}}, "placement": {"clusters": [{"name": "member1"}]}}})
    t.propagated(FNS, namespace, namespace, ["member1"])
    labels = t.member1.get(k.NAMESPACES, None, namespace)["metadata"]["labels"]
    expect(labels.get("team"), "a", "label team")


@test()
def the_namespace_bounds_the_placement_of_its_contents(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace)
    t.propagated(FCM, namespace, "greet", ["member1"])
    expect(t.member2.find(k.NAMESPACES, None, namespace), None, "namespace in member2")
    t.edit(FNS, namespace, namespace, lambda o: o["spec"]["placement"].update(
        clusters=[{"name": "member1"}, {"name": "member2"}]))
    t.propagated(FCM, namespace, "greet", ["member1", "member2"])
    t.edit(FNS, namespace, namespace, lambda o: o["spec"]["placement"].update(clusters=[{"name": "member2"}]))
    t.gone(t.member1, k.CONFIGMAPS, namespace, "greet")
    t.propagated(FCM, namespace, "greet", ["member2"])
    # Kubernetes looks through all kinds of objects when a namespace ends, and again when one comes or goes meanwhile.
    t.propagated(FNS, namespace, namespace, ["member2"], timeout=180)
    t.gone(t.member1, k.NAMESPACES, None, namespace, timeout=180)


@test(smoke=True)
def a_namespace_that_is_not_federated_is_reported(t):
    t.main()
    namespace = t.namespace(federate=False)
    t.configmap(namespace)

    def reported():
        obj = t.host.get(FCM, namespace, "greet")
        condition = k.condition(obj, "Propagation")
        expect((condition.get("status"), condition.get("reason")), ("False", "NamespaceNotFederated"), "condition")
        assert not obj["status"].get("clusters"), obj["status"]
        expect(obj["status"]["observedGeneration"], 1, "observedGeneration")
    eventually(reported)
    # Federating the namespace afterwards is enough.
    t.host.create(FNS, namespace, {"metadata": {"name": namespace},
                                   "spec": {"placement": {"clusters": [{"name": "member1"}]}}})
    t.propagated(FCM, namespace, "greet", ["member1"])


@test()
def federated_namespaces_elsewhere_are_refused(t):
    """Name and namespace of a FederatedNamespace must be the same."""
    plane = t.main()
    namespace = t.namespace(federate=False)
    t.host.create(FNS, namespace, {"metadata": {"name": "other"}, "spec": {"placement": {"clusterSelector": {}}}})
    event = eventually(lambda: plane.events("other", namespace, "InvalidName")[0])
    expect(event["message"], "The name of a federated namespace must match the name of its containing namespace.", "message")
    expect(t.member1.find(k.NAMESPACES, None, "other"), None, "namespace other in member1")


@test()
def protected_namespaces_are_left_alone(t):
    t.main()
    for name in ("default", "kube-public", SYSTEM):
        if t.host.find(FNS, name, name):
            continue
        t.host.create(FNS, name, {"metadata": {"name": name}, "spec": {"placement": {"clusterSelector": {}}}})
        t.cleanup(lambda n=name: t.host.delete(FNS, n, n, missing_ok=True))
    namespace = t.namespace(["member1"])
    t.propagated(FNS, namespace, namespace, ["member1"])

    def untouched():
        for name in ("default", "kube-public"):
            expect(label_of(t.member1.get(k.NAMESPACES, None, name)), None, f"managed label of {name} in member1")
            expect(t.host.get(FNS, name, name)["metadata"].get("finalizers"), None, f"finalizers of {name}")
    stays(untouched, 1)


@test()
def a_host_namespace_is_adopted_and_never_deleted(t):
    t.main()
    namespace = t.namespace(["host", "member1"])
    t.configmap(namespace, clusters=["host", "member1"])
    t.propagated(FNS, namespace, namespace, ["host", "member1"])
    t.propagated(FCM, namespace, "greet", ["host", "member1"])
    expect(label_of(t.host.get(k.NAMESPACES, None, namespace)), "true", "managed label on the host")
    expect(label_of(t.host.get(k.CONFIGMAPS, namespace, "greet")), "true", "managed label of the ConfigMap on the host")
    t.edit(FNS, namespace, namespace, lambda o: o["spec"]["placement"].update(clusters=[{"name": "member1"}]))
    eventually(lambda: expect(label_of(t.host.get(k.NAMESPACES, None, namespace)), None, "managed label on the host"))
    t.gone(t.host, k.CONFIGMAPS, namespace, "greet")
    assert not t.host.get(k.NAMESPACES, None, namespace)["metadata"].get("deletionTimestamp"), "it is being deleted"
    t.propagated(FNS, namespace, namespace, ["member1"])


# ---- placement

@test(smoke=True)
def leaving_the_placement_removes_the_object(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace)
    t.propagated(FCM, namespace, "greet")
    t.edit(FCM, namespace, "greet", lambda o: o["spec"]["placement"].update(clusters=[{"name": "member2"}]))
    t.gone(t.member1, k.CONFIGMAPS, namespace, "greet")
    t.propagated(FCM, namespace, "greet", ["member2"])
    t.edit(FCM, namespace, "greet", lambda o: o["spec"].update(placement={}))
    t.gone(t.member2, k.CONFIGMAPS, namespace, "greet")
    t.propagated(FCM, namespace, "greet", [])


@test()
def unknown_cluster_names_are_ignored(t):
    t.main()
    namespace = t.namespace(["member1", "atlantis"])
    t.configmap(namespace, clusters=["member1", "atlantis", "member1"])
    t.propagated(FCM, namespace, "greet", ["member1"])


@test()
def placement_rules_of_names_and_selectors(t):
    """The table of api-and-cli.md 7.16, in one namespace on both members."""
    plane = t.main()
    tier = t.unique("tier")
    t.host.patch(k.KFC, plane.namespace, "member2", {"metadata": {"labels": {tier: "edge"}}})
    t.cleanup(lambda: t.host.patch(k.KFC, plane.namespace, "member2", {"metadata": {"labels": {tier: None}}}))
    namespace = t.namespace()
    edge = {"matchLabels": {tier: "edge"}}
    no_tier = {"matchExpressions": [{"key": tier, "operator": "DoesNotExist"}]}
    some = {"matchExpressions": [{"key": tier, "operator": "In", "values": ["core", "edge"]}]}
    other = {"matchExpressions": [{"key": tier, "operator": "NotIn", "values": ["edge"]}]}
    both = {"matchLabels": {tier: "edge"}, "matchExpressions": [{"key": tier, "operator": "Exists"}]}
    rows = {
        "nothing": ({}, []),
        "empty-list": ({"clusters": [], "clusterSelector": edge}, []),
        "list-wins": ({"clusters": [{"name": "member1"}], "clusterSelector": edge}, ["member1"]),
        "all": ({"clusterSelector": {}}, ["member1", "member2"]),
        "labels": ({"clusterSelector": edge}, ["member2"]),
        "does-not-exist": ({"clusterSelector": no_tier}, ["member1"]),
        "in": ({"clusterSelector": some}, ["member2"]),
        "not-in": ({"clusterSelector": other}, ["member1"]),
        "both-kinds": ({"clusterSelector": both}, ["member2"]),
        "null-list": ({"clusters": None, "clusterSelector": edge}, ["member2"]),
    }
    for name, (placement, _) in rows.items():
        t.host.create(FCM, namespace, {"metadata": {"name": name}, "spec": {"template": {"data": {"a": "b"}},
                                                                          "placement": placement}})
    for name, (_, expected) in rows.items():
        t.propagated(FCM, namespace, name, expected)
        for member, api in t.members.items():
            expect(api.find(k.CONFIGMAPS, namespace, name) is not None, member in expected, f"{name} in {member}")


@test(smoke=True)
def relabelling_a_cluster_moves_objects(t):
    plane = t.main()
    tier = t.unique("tier")
    namespace = t.namespace()
    t.configmap(namespace, clusters=None, selector={"matchLabels": {tier: "edge"}})
    t.propagated(FCM, namespace, "greet", [])
    t.host.patch(k.KFC, plane.namespace, "member1", {"metadata": {"labels": {tier: "edge"}}})
    t.cleanup(lambda: t.host.patch(k.KFC, plane.namespace, "member1", {"metadata": {"labels": {tier: None}}}))
    t.propagated(FCM, namespace, "greet", ["member1"])
    t.host.patch(k.KFC, plane.namespace, "member1", {"metadata": {"labels": {tier: None}}})
    t.gone(t.member1, k.CONFIGMAPS, namespace, "greet")
    t.propagated(FCM, namespace, "greet", [])


@test(smoke=True)
def a_malformed_selector_is_reported(t):
    plane = t.main()
    namespace = t.namespace()
    t.configmap(namespace, "good")
    for name, selector in (("operator", {"matchExpressions": [{"key": "a", "operator": "Foo"}]}),
                           ("key", {"matchLabels": {"not a key!": "x"}}),
                           ("value", {"matchLabels": {"a": "not a value!"}}),
                           ("values", {"matchExpressions": [{"key": "a", "operator": "In", "values": []}]})):
        t.configmap(namespace, name, clusters=None, selector=selector)
    t.propagated(FCM, namespace, "good")
    for name in ("operator", "key", "value", "values"):
        def reported():
            obj = t.host.get(FCM, namespace, name)
            condition = k.condition(obj, "Propagation")
            expect((condition.get("status"), condition.get("reason")), ("False", "ComputePlacementFailed"),
                   f"condition of {name}")
            assert not obj["status"].get("clusters"), obj["status"]
        eventually(reported)
        event = eventually(lambda n=name: plane.events(n, namespace, "ComputePlacementFailed")[0])
        assert event["type"] == "Warning" and event["message"].startswith("Failed to compute placement: "), event
        expect(event["source"]["component"], "federatedconfigmap-controller", "component of the event")
    t.edit(FCM, namespace, "operator", lambda o: o["spec"].update(placement={"clusters": [{"name": "member1"}]}))
    t.propagated(FCM, namespace, "operator", ["member1"])


# ---- template and live object

@test(smoke=True)
def a_template_change_reaches_the_members(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace)
    t.propagated(FCM, namespace, "greet")
    t.edit(FCM, namespace, "greet", lambda o: o["spec"].update(template={"data": {"new": "1"},
                                                                         "metadata": {"labels": {"a": "b"}}}))
    t.propagated(FCM, namespace, "greet")
    for name, member in t.members.items():
        obj = member.get(k.CONFIGMAPS, namespace, "greet")
        expect(obj["data"], {"new": "1"}, f"data in {name}")
        expect(obj["metadata"]["labels"], {"a": "b", MANAGED: "true"}, f"labels in {name}")


@test(smoke=True)
def drift_is_repaired_quickly(t):
    """No fixed delay: seconds are enough, also on a busy machine."""
    t.main()
    namespace = t.namespace()
    # New objects each time: what is changed again and again is repaired ever more slowly.
    for number in range(3):
        for drift in ("changed", "deleted", "labelled"):
            t.configmap(namespace, f"{drift}-{number}")
    for number in range(3):
        for drift in ("changed", "deleted", "labelled"):
            t.propagated(FCM, namespace, f"{drift}-{number}")

    def as_wanted(name):
        obj = t.member1.get(k.CONFIGMAPS, namespace, name)
        expect((obj["data"], obj["metadata"]["labels"]), ({"lang": "en"}, {MANAGED: "true"}),
               f"data and labels of {name} in member1")

    def changed(number):
        t.member1.patch(k.CONFIGMAPS, namespace, f"changed-{number}", {"data": {"lang": "xx", "more": "x"}})
        eventually(lambda: as_wanted(f"changed-{number}"))

    def deleted(number):
        t.member1.delete(k.CONFIGMAPS, namespace, f"deleted-{number}")
        eventually(lambda: as_wanted(f"deleted-{number}"))

    def labelled(number):
        t.member1.patch(k.CONFIGMAPS, namespace, f"labelled-{number}", {"metadata": {"labels": {"added": "x"}}})
        eventually(lambda: as_wanted(f"labelled-{number}"))
    for drift in (changed, deleted, labelled):
        t.quickly(drift)
    for drift in ("changed", "deleted", "labelled"):
        t.propagated(FCM, namespace, f"{drift}-0")


@test()
def a_removed_managed_label_does_not_opt_out(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace, clusters=["member1"])
    t.propagated(FCM, namespace, "greet", ["member1"])
    t.member1.patch(k.CONFIGMAPS, namespace, "greet", {"metadata": {"labels": {MANAGED: None}}, "data": {"x": "y"}})
    eventually(lambda: expect(label_of(t.member1.get(k.CONFIGMAPS, namespace, "greet")), "true", "managed label"))
    eventually(lambda: expect(t.member1.get(k.CONFIGMAPS, namespace, "greet")["data"], {"lang": "en"}, "data"))


@test()
def annotations_and_finalizers_of_the_member_stay(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace, clusters=["member1"])
    t.propagated(FCM, namespace, "greet", ["member1"])
    t.member1.patch(k.CONFIGMAPS, namespace, "greet", {"metadata": {"annotations": {"keep": "me"},
                                                                   "finalizers": ["e2e.example.com/keep"]}})
    t.cleanup(lambda: t.member1.patch(k.CONFIGMAPS, namespace, "greet", {"metadata": {"finalizers": None}}))
    t.edit(FCM, namespace, "greet", lambda o: o["spec"]["template"].update(data={"lang": "pl"}))
    t.propagated(FCM, namespace, "greet", ["member1"])
    obj = t.member1.get(k.CONFIGMAPS, namespace, "greet")
    expect(obj["data"], {"lang": "pl"}, "data")
    expect(obj["metadata"].get("annotations"), {"keep": "me"}, "annotations")
    expect(obj["metadata"].get("finalizers"), ["e2e.example.com/keep"], "finalizers")


@test()
def annotations_in_a_template_are_left_out_with_an_event(t):
    plane = t.main()
    namespace = t.namespace(["member1"])
    t.federate(FCM, namespace, "greet", {"metadata": {"annotations": {"a": "b"}, "finalizers": ["x.example.com/y"],
                                                      "labels": {"l": "1"}}, "data": {"a": "b"}}, clusters=["member1"])
    t.propagated(FCM, namespace, "greet", ["member1"])
    metadata = t.member1.get(k.CONFIGMAPS, namespace, "greet")["metadata"]
    assert not metadata.get("annotations") and not metadata.get("finalizers"), metadata
    expect(metadata["labels"], {"l": "1", MANAGED: "true"}, "labels")
    for reason in ("AnnotationsNotSupported", "FinalizersNotSupported"):
        eventually(lambda r=reason: expect(plane.events("greet", namespace, r)[0]["type"], "Warning", "type"))


@test()
def replicas_are_retained_only_when_asked(t):
    t.main()
    namespace = t.namespace()
    t.federate(FDEPLOY, namespace, "keep", deployment(), retainReplicas=True)
    t.federate(FDEPLOY, namespace, "reset", deployment())
    for name in ("keep", "reset"):
        t.propagated(FDEPLOY, namespace, name)
        t.member2.patch(k.DEPLOYMENTS, namespace, name, {"spec": {"replicas": 7},
                                                         "metadata": {"labels": {"foo": "bar"}, "annotations": {"keep": "me"}}})
    eventually(lambda: expect(t.member2.get(k.DEPLOYMENTS, namespace, "reset")["spec"]["replicas"], 2, "replicas"))

    def kept():
        obj = t.member2.get(k.DEPLOYMENTS, namespace, "keep")
        expect(obj["metadata"]["labels"], {"app": "web", MANAGED: "true"}, "labels")
        expect(obj["metadata"]["annotations"].get("keep"), "me", "annotation")
        expect(obj["spec"]["replicas"], 7, "replicas")
    eventually(kept)
    expect(t.member1.get(k.DEPLOYMENTS, namespace, "keep")["spec"]["replicas"], 2, "replicas in member1")


# ---- adoption

@test(smoke=True)
def an_existing_object_is_adopted(t):
    plane = t.main()
    namespace = t.namespace()
    t.propagated(FNS, namespace, namespace)
    t.member2.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "greet"}, "data": {"old": "x"}})
    t.configmap(namespace)
    t.propagated(FCM, namespace, "greet")
    obj = t.member2.get(k.CONFIGMAPS, namespace, "greet")
    expect((obj["data"], label_of(obj)), ({"lang": "en"}, "true"), "data and label")
    event = eventually(lambda: plane.events("greet", namespace, "CreateInClusterFailed")[0])
    assert "An update will be attempted instead of a creation due to an existing resource" in event["message"], event


@test(smoke=True)
def an_object_that_opted_out_is_left_alone(t):
    t.main()
    namespace = t.namespace()
    t.propagated(FNS, namespace, namespace)
    t.member2.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "greet", "labels": {MANAGED: "false"}},
                                               "data": {"mine": "x"}})
    t.configmap(namespace)

    def reported():
        status = t.host.get(FCM, namespace, "greet")["status"]
        expect(status["clusters"], [{"name": "member1"}, {"name": "member2", "status": "ManagedLabelFalse"}], "clusters")
        expect(k.condition({"status": status}, "Propagation")["reason"], "CheckClusters", "reason")
    eventually(reported)

    def untouched():
        obj = t.member2.get(k.CONFIGMAPS, namespace, "greet")
        expect((obj["data"], label_of(obj)), ({"mine": "x"}, "false"), "object in member2")
    stays(untouched, 1)


@test()
def adoption_can_be_switched_off(t):
    plane, gadgets, _ = t.private(config={"syncController": {"adoptResources": "Disabled"}}, start=False)
    t.member2.create(gadgets.target, plane.namespace, {"kind": gadgets.kind, "metadata": {"name": "pre"},
                                                       "data": {"mine": "x"}})
    plane.start()
    plane.wait_ready("member1", "member2")
    gadgets.create("pre")
    eventually(lambda: expect(gadgets.clusters("pre"), {"member1": "", "member2": "AlreadyExists"}, "clusters"))
    expect(gadgets.in_member("member2", "pre")["data"], {"mine": "x"}, "data in member2")
    assert not (gadgets.in_member("member2", "pre")["metadata"].get("labels")), "labels in member2"


# ---- events

@test()
def creations_and_updates_are_told_in_events(t):
    plane = t.main()
    namespace = t.namespace(["member1"])
    t.propagated(FNS, namespace, namespace, ["member1"])
    t.configmap(namespace, clusters=["member1"])
    event = eventually(lambda: plane.events("greet", namespace, "CreateInCluster")[0])
    expect((event["type"], event["message"], event["source"]["component"]),
           ("Normal", f'Creating ConfigMap "{namespace}/greet" in cluster "member1"', "federatedconfigmap-controller"), "event")
    t.propagated(FCM, namespace, "greet", ["member1"])
    t.edit(FCM, namespace, "greet", lambda o: o["spec"]["template"].update(data={"lang": "pl"}))
    event = eventually(lambda: plane.events("greet", namespace, "UpdateInCluster")[0])
    expect(event["message"], f'Updating ConfigMap "{namespace}/greet" in cluster "member1"', "message")
    t.edit(FCM, namespace, "greet", lambda o: o["spec"].update(placement={}))
    event = eventually(lambda: plane.events("greet", namespace, "DeleteInCluster")[0])
    expect(event["message"], f'Deleting ConfigMap "{namespace}/greet" in cluster "member1"', "message")


@test()
def a_refused_object_is_told_and_healed(t):
    """An invalid object: the member says no; the others are served; a mended template heals it."""
    plane = t.main()
    namespace = t.namespace()
    bad = {"clusterName": "member2", "clusterOverrides": [{"path": "/spec/replicas", "value": -1}]}
    t.federate(FDEPLOY, namespace, "web", deployment(), overrides=[bad])

    def reported():
        status = t.host.get(FDEPLOY, namespace, "web")["status"]
        expect(status["clusters"], [{"name": "member1"}, {"name": "member2", "status": "CreationFailed"}], "clusters")
    eventually(reported)

    def told():  # the namespace may have been missing in a member for a moment
        messages = [e["message"] for e in plane.events("web", namespace, "CreateInClusterFailed")]
        begin = f'Failed to create Deployment "{namespace}/web" in cluster "member2": '
        assert [m for m in messages if m.startswith(begin) and "spec.replicas" in m], messages
    eventually(told)
    t.edit(FDEPLOY, namespace, "web", lambda o: o["spec"].update(overrides=[]))
    t.propagated(FDEPLOY, namespace, "web")


@test()
def an_immutable_field_is_reported_and_the_rest_goes_on(t):
    t.main()
    namespace = t.namespace()
    t.federate(FDEPLOY, namespace, "web", deployment())
    t.propagated(FDEPLOY, namespace, "web")
    t.edit(FDEPLOY, namespace, "web", lambda o: o["spec"].update(overrides=[{
        "clusterName": "member2", "clusterOverrides": [
            {"path": "/spec/selector", "value": {"matchLabels": {"app": "other"}}},
            {"path": "/spec/template/metadata/labels", "value": {"app": "other"}}]}]))

    def reported():
        obj = t.host.get(FDEPLOY, namespace, "web")
        expect(obj["status"]["clusters"], [{"name": "member1"}, {"name": "member2", "status": "UpdateFailed"}], show(obj["status"]))
    eventually(reported)
    t.edit(FDEPLOY, namespace, "web", lambda o: o["spec"].pop("overrides"))
    t.propagated(FDEPLOY, namespace, "web")
