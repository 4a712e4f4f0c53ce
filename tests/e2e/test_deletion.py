"""Deletion, orphaning, terminating namespaces (controllers.md 5.11, 5.12; api-and-cli.md 7.11, 7.12)."""
import threading

from harness import FCM, FDEPLOY, FNS, MANAGED, eventually, expect, k, stays, test


@test(smoke=True)
def deletion_cleans_the_members_quickly(t):
    plane = t.main()
    namespace = t.namespace()
    names = [f"greet-{number}" for number in range(3)]
    for name in names:
        t.configmap(namespace, name)
    for name in names:
        t.propagated(FCM, namespace, name)

    def delete(number):
        t.host.delete(FCM, namespace, names[number])
        t.gone(t.host, FCM, namespace, names[number])
        for name, member in t.members.items():
            expect(member.find(k.CONFIGMAPS, namespace, names[number]), None,
                   f"object in {name}: it goes before the federated one")
    t.quickly(delete, seconds=9)
    # The bookkeeping goes with its owner; the garbage collector looks again for new kinds, which other tests make.
    t.gone(t.host, k.PV, namespace, "configmap-greet-0", timeout=240)
    assert plane.controller.alive()


@test()
def deletion_waits_for_an_object_that_is_slow_to_go(t):
    plane = t.main()
    namespace = t.namespace()
    t.configmap(namespace)
    t.propagated(FCM, namespace, "greet")
    t.member2.patch(k.CONFIGMAPS, namespace, "greet", {"metadata": {"finalizers": ["e2e.example.com/slow"]}})
    t.host.delete(FCM, namespace, "greet")
    t.gone(t.member1, k.CONFIGMAPS, namespace, "greet")
    event = eventually(lambda: plane.events("greet", namespace, "WaitForRemovalInCluster")[0])
    assert "member2" in event["message"], event["message"]
    stays(lambda: t.host.get(FCM, namespace, "greet"), 1)
    t.member2.patch(k.CONFIGMAPS, namespace, "greet", {"metadata": {"finalizers": None}})
    t.gone(t.host, FCM, namespace, "greet")
    expect(t.member2.find(k.CONFIGMAPS, namespace, "greet"), None, "object in member2")


@test(smoke=True)
def orphaning_leaves_the_members_unlabelled(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace, annotations={"kubefed.io/orphan": "true"})
    t.propagated(FCM, namespace, "greet")
    t.host.delete(FCM, namespace, "greet")
    t.gone(t.host, FCM, namespace, "greet")
    for name, member in t.members.items():
        def unlabelled():
            obj = member.get(k.CONFIGMAPS, namespace, "greet")
            expect((obj["metadata"].get("labels") or {}).get(MANAGED), None, f"managed label in {name}")
            expect(obj["data"], {"lang": "en"}, f"data in {name}")
        eventually(unlabelled)


@test()
def another_value_of_the_orphan_annotation_is_none(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace, clusters=["member1"], annotations={"kubefed.io/orphan": "yes"})
    t.propagated(FCM, namespace, "greet", ["member1"])
    t.host.delete(FCM, namespace, "greet")
    t.gone(t.member1, k.CONFIGMAPS, namespace, "greet")
    t.gone(t.host, FCM, namespace, "greet")


@test()
def delete_options_are_passed_on(t):
    t.main()
    namespace = t.namespace(["member1"])
    template = {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}
    t.federate(FDEPLOY, namespace, "web", template, clusters=["member1"],
               annotations={"kubefed.io/deleteoption": '{"propagationPolicy":"Orphan"}'})
    t.propagated(FDEPLOY, namespace, "web", ["member1"])
    sets = eventually(lambda: t.member1.list("apps/v1/replicasets", namespace) or expect(0, 1, "number of ReplicaSets"))
    t.host.delete(FDEPLOY, namespace, "web")
    # The garbage collector of the member lets the ReplicaSets go first, and pauses while it learns new kinds.
    t.gone(t.host, FDEPLOY, namespace, "web", timeout=240)
    t.gone(t.member1, k.DEPLOYMENTS, namespace, "web")
    left = t.member1.get("apps/v1/replicasets", namespace, sets[0]["metadata"]["name"])
    assert not left["metadata"].get("deletionTimestamp") and not left["metadata"].get("ownerReferences"), left["metadata"]


@test()
def malformed_delete_options_block_until_mended(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace, clusters=["member1"], annotations={"kubefed.io/deleteoption": "{not json"})
    t.propagated(FCM, namespace, "greet", ["member1"])
    t.host.delete(FCM, namespace, "greet")
    stays(lambda: (t.host.get(FCM, namespace, "greet"), t.member1.get(k.CONFIGMAPS, namespace, "greet")), 1)
    t.host.patch(FCM, namespace, "greet", {"metadata": {"annotations": {"kubefed.io/deleteoption": None}}})
    t.gone(t.host, FCM, namespace, "greet")


@test()
def an_object_without_the_finalizer_of_ours_just_goes(t):
    """Deleted before anybody looked: no member ever saw it, and nothing hangs."""
    t.main()
    namespace = t.namespace(["member1"])
    t.propagated(FNS, namespace, namespace, ["member1"])
    def create_and_delete(worker):
        for number in range(25):
            t.configmap(namespace, f"flash-{worker}-{number}", clusters=["member1"])
            t.host.delete(FCM, namespace, f"flash-{worker}-{number}")
    workers = [threading.Thread(target=create_and_delete, args=(worker,)) for worker in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    # Some of them are deleted in the moment when they get their finalizer, which the API server does not honour then.
    def left(api, resource):
        return [o["metadata"]["name"] for o in api.list(resource, namespace) if o["metadata"]["name"].startswith("flash-")]
    eventually(lambda: expect(left(t.host, FCM), [], "federated objects left"))
    eventually(lambda: expect(left(t.member1, k.CONFIGMAPS), [], "objects left in member1"))


@test()
def recreation_under_the_same_name(t):
    t.main()
    namespace = t.namespace()
    for number in range(3):
        t.configmap(namespace, data={"round": str(number)})
        t.propagated(FCM, namespace, "greet")
        for name, member in t.members.items():
            expect(member.get(k.CONFIGMAPS, namespace, "greet")["data"], {"round": str(number)}, f"data in {name}")
        t.host.delete(FCM, namespace, "greet")
        t.gone(t.host, FCM, namespace, "greet")


@test()
def foreign_finalizers_stay(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.host.create(FCM, namespace, {"metadata": {"name": "greet", "finalizers": ["e2e.example.com/other"]}, "spec": {
        "template": {"data": {"a": "b"}}, "placement": {"clusters": [{"name": "member1"}]}}})
    fed = t.propagated(FCM, namespace, "greet", ["member1"])
    expect(sorted(fed["metadata"]["finalizers"]), ["e2e.example.com/other", "kubefed.io/sync-controller"], "finalizers")
    t.host.delete(FCM, namespace, "greet")
    eventually(lambda: expect(t.host.get(FCM, namespace, "greet")["metadata"]["finalizers"], ["e2e.example.com/other"], "finalizers"))
    expect(t.member1.find(k.CONFIGMAPS, namespace, "greet"), None, "object in member1")
    t.host.patch(FCM, namespace, "greet", {"metadata": {"finalizers": None}})
    t.gone(t.host, FCM, namespace, "greet")


@test(smoke=True)
def deleting_the_host_namespace_removes_it_everywhere(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace)
    t.propagated(FCM, namespace, "greet")
    t.host.delete(k.NAMESPACES, None, namespace)
    for api in (t.host, t.member1, t.member2):
        t.gone(api, k.NAMESPACES, None, namespace, timeout=180)


@test()
def deleting_the_federated_namespace_keeps_the_host_namespace(t):
    t.main()
    namespace = t.namespace(["host", "member1"])
    t.propagated(FNS, namespace, namespace, ["host", "member1"])
    t.host.delete(FNS, namespace, namespace)
    t.gone(t.host, FNS, namespace, namespace, timeout=180)
    t.gone(t.member1, k.NAMESPACES, None, namespace, timeout=180)

    def kept():
        metadata = t.host.get(k.NAMESPACES, None, namespace)["metadata"]
        expect(metadata.get("deletionTimestamp"), None, "deletionTimestamp on the host")
        expect((metadata.get("labels") or {}).get(MANAGED), None, "managed label on the host")
    eventually(kept)


@test()
def a_member_namespace_deleted_by_hand_comes_back(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace)
    t.propagated(FCM, namespace, "greet")
    uid = t.member1.get(k.NAMESPACES, None, namespace)["metadata"]["uid"]
    t.member1.delete(k.NAMESPACES, None, namespace)

    def back():
        now = t.member1.get(k.NAMESPACES, None, namespace)
        assert now["metadata"]["uid"] != uid and now["status"]["phase"] == "Active", now["status"]
        expect(t.member1.get(k.CONFIGMAPS, namespace, "greet")["data"], {"lang": "en"}, "data")
    eventually(back, 180)
    t.propagated(FCM, namespace, "greet", timeout=180)


@test()
def labelled_objects_without_a_federated_one_lose_the_label(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.propagated(FNS, namespace, namespace, ["member1"])
    t.member1.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "stray", "labels": {MANAGED: "true", "a": "b"}}, "data": {"x": "y"}})

    def stripped():
        obj = t.member1.get(k.CONFIGMAPS, namespace, "stray")
        expect((obj["metadata"].get("labels"), obj["data"]), ({"a": "b"}, {"x": "y"}), "labels and data")
    eventually(stripped)
