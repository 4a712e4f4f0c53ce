"""Propagation status and version bookkeeping (controllers.md 5.9, 6; api-and-cli.md 1.6, 7.9)."""
import re

import hashes
from harness import FCM, FDEPLOY, FNS, FSVC, GADGET_SCHEMA, crd, eventually, expect, k, show, stays, test

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def version_object(t, namespace, name, resource=k.PV):
    obj = t.host.find(resource, namespace, name)
    assert obj is not None, f"there is no {resource} {namespace}/{name}"
    return obj


def check_versions(t, fed_resource, target_resource, namespace, name, pv_name, clusters):
    """The bookkeeping says exactly what the members have; it is written after the status."""
    fed = t.host.get(fed_resource, namespace, name)
    status = version_object(t, namespace, pv_name)["status"]
    expect(status["templateVersion"], hashes.template_version(fed["spec"]), "templateVersion")
    expect(status["overridesVersion"], hashes.overrides_version(fed["spec"]), "overridesVersion")
    where = None if target_resource == k.NAMESPACES else namespace
    expect(status.get("clusterVersions", []),
           [{"clusterName": c, "version": hashes.object_version(t.env.apis[c].get(target_resource, where, name))}
            for c in sorted(clusters)], "clusterVersions")
    return status


@test()
def the_hashes_of_the_tests_are_right(t):
    hashes.self_check()


@test(smoke=True)
def the_status_has_exactly_the_documented_shape(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace)
    t.propagated(FCM, namespace, "greet")
    status = t.host.get(FCM, namespace, "greet")["status"]
    expect(sorted(status), ["clusters", "conditions", "observedGeneration"], "fields of status")
    expect(status["clusters"], [{"name": "member1"}, {"name": "member2"}], "clusters, sorted")
    expect(len(status["conditions"]), 1, "number of conditions")
    condition = status["conditions"][0]
    expect(sorted(condition), ["lastTransitionTime", "lastUpdateTime", "status", "type"], "fields of the condition")
    expect((condition["type"], condition["status"]), ("Propagation", "True"), "condition")
    for key in ("lastTransitionTime", "lastUpdateTime"):
        assert TIME.match(condition[key]), condition


@test(smoke=True)
def propagated_versions_tell_what_the_members_have(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace, overrides=[{"clusterName": "member2", "clusterOverrides": [{"path": "/data/lang", "value": "<&>"}]}])
    t.propagated(FCM, namespace, "greet")
    eventually(lambda: check_versions(t, FCM, k.CONFIGMAPS, namespace, "greet", "configmap-greet", ["member1", "member2"]))
    fed = t.host.get(FCM, namespace, "greet")
    metadata = version_object(t, namespace, "configmap-greet")["metadata"]
    expect(metadata["ownerReferences"], [{"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedConfigMap", "name": "greet",
                                          "uid": fed["metadata"]["uid"]}], "ownerReferences")
    # ConfigMaps count no generations, so their resource versions are recorded.
    assert version_object(t, namespace, "configmap-greet")["status"]["clusterVersions"][0]["version"].startswith("rv:")


@test(smoke=True)
def versions_follow_changes_and_placement(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace)
    t.propagated(FCM, namespace, "greet")
    eventually(lambda: check_versions(t, FCM, k.CONFIGMAPS, namespace, "greet", "configmap-greet", ["member1", "member2"]))
    t.edit(FCM, namespace, "greet", lambda o: o["spec"].update(
        template={"data": {"n": "1"}, "metadata": {"labels": {"z": "1", "a": "x"}}}))
    eventually(lambda: check_versions(t, FCM, k.CONFIGMAPS, namespace, "greet", "configmap-greet", ["member1", "member2"]))
    t.edit(FCM, namespace, "greet", lambda o: o["spec"]["placement"].update(clusters=[{"name": "member2"}]))
    eventually(lambda: check_versions(t, FCM, k.CONFIGMAPS, namespace, "greet", "configmap-greet", ["member2"]))
    t.edit(FCM, namespace, "greet", lambda o: o["spec"].update(overrides=[]))
    eventually(lambda: check_versions(t, FCM, k.CONFIGMAPS, namespace, "greet", "configmap-greet", ["member2"]))


@test()
def generations_are_recorded_where_they_exist(t):
    t.main()
    namespace = t.namespace()
    template = {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}
    t.federate(FDEPLOY, namespace, "web", template)
    t.propagated(FDEPLOY, namespace, "web")
    status = eventually(lambda: check_versions(t, FDEPLOY, k.DEPLOYMENTS, namespace, "web", "deployment-web", ["member1", "member2"]))
    expect(status["clusterVersions"][0]["version"], "gen:1", "version in member1")
    t.edit(FDEPLOY, namespace, "web", lambda o: o["spec"]["template"]["spec"].update(replicas=3))
    t.propagated(FDEPLOY, namespace, "web")
    status = eventually(lambda: check_versions(t, FDEPLOY, k.DEPLOYMENTS, namespace, "web", "deployment-web", ["member1", "member2"]))
    expect(status["clusterVersions"][0]["version"], "gen:2", "version in member1 after the change")


@test()
def versions_of_namespaces_and_services_converge(t):
    t.main()
    namespace = t.namespace()
    t.federate(FSVC, namespace, "web", {"spec": {"ports": [{"port": 80}]}})
    t.propagated(FSVC, namespace, "web")
    t.propagated(FNS, namespace, namespace)
    eventually(lambda: check_versions(t, FSVC, k.SERVICES, namespace, "web", "service-web", ["member1", "member2"]))
    eventually(lambda: check_versions(t, FNS, k.NAMESPACES, namespace, namespace, f"namespace-{namespace}", ["member1", "member2"]))
    # A status change in a member gives a new resource version; the bookkeeping catches up.
    t.member1.patch(k.SERVICES, namespace, "web", {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}, "status")
    eventually(lambda: check_versions(t, FSVC, k.SERVICES, namespace, "web", "service-web", ["member1", "member2"]))
    expect(t.member1.get(k.SERVICES, namespace, "web")["status"]["loadBalancer"], {"ingress": [{"ip": "192.0.2.1"}]}, "status")


@test()
def no_placement_still_has_versions(t):
    t.main()
    namespace = t.namespace()
    t.configmap(namespace, clusters=[])
    t.propagated(FCM, namespace, "greet", [])
    assert "clusters" not in t.host.get(FCM, namespace, "greet")["status"], "clusters is omitted when empty"
    eventually(lambda: check_versions(t, FCM, k.CONFIGMAPS, namespace, "greet", "configmap-greet", []))


@test()
def an_absent_template_is_an_empty_object(t):
    """A FederatedNamespace needs none; a ConfigMap without one is empty."""
    t.main()
    namespace = t.namespace()
    t.federate(FCM, namespace, "empty", None)
    t.propagated(FCM, namespace, "empty")
    assert not t.member1.get(k.CONFIGMAPS, namespace, "empty").get("data"), "data in member1"
    expect(eventually(lambda: version_object(t, namespace, "configmap-empty")["status"])["templateVersion"], "", "templateVersion")


@test(smoke=True)
def a_malformed_template_hurts_only_its_object(t):
    """Only a federated CRD with a loose schema lets one through."""
    plane, gadgets, _ = t.private(members=("member1",))
    for name, template in (("text", "not an object"), ("list", [1, 2]), ("number", 5), ("labels", {"metadata": {"labels": "x"}}),
                           ("metadata", {"metadata": []}), ("deep", {"spec": {"a": {"b": {"c": [[[]]]}}}})):
        t.host.create(gadgets.fed, plane.namespace, {"kind": "Federated" + gadgets.kind, "metadata": {"name": name}, "spec": {
            "template": template, "placement": {"clusters": [{"name": "member1"}]}}})
    gadgets.create("good", ["member1"])
    gadgets.propagated("good", ["member1"])
    gadgets.propagated("deep", ["member1"])
    for name in ("text", "list", "number"):
        eventually(lambda n=name: expect(gadgets.clusters(n), {"member1": "ComputeResourceFailed"}, f"clusters of {n}"))
    for name in ("labels", "metadata"):
        eventually(lambda n=name: expect(bool(gadgets.clusters(n)), True, f"some judgement of {n}"))
    t.host.patch(gadgets.fed, plane.namespace, "text", {"spec": {"template": {"data": {"a": "b"}}}})
    gadgets.propagated("text", ["member1"])


@test()
def malformed_specs_do_not_stop_anything(t):
    plane, gadgets, _ = t.private(members=("member1",))
    good = {"data": {"a": "b"}}
    member1 = [{"name": "member1"}]
    for name, spec in (
            ("placement-text", {"template": good, "placement": "everywhere"}),
            ("clusters-text", {"template": good, "placement": {"clusters": "member1"}}),
            ("cluster-number", {"template": good, "placement": {"clusters": [5]}}),
            ("cluster-nameless", {"template": good, "placement": {"clusters": [{}]}}),
            ("selector-list", {"template": good, "placement": {"clusterSelector": []}}),
            ("overrides-text", {"template": good, "placement": {"clusters": member1}, "overrides": "x"}),
            ("overrides-numbers", {"template": good, "placement": {"clusters": member1}, "overrides": [1, 2]}),
            ("override-nameless", {"template": good, "placement": {"clusters": member1}, "overrides": [{"clusterOverrides": [{}]}]}),
            ("override-odd", {"template": good, "placement": {"clusters": member1},
                              "overrides": [{"clusterName": "member1", "clusterOverrides": [{"op": "move", "path": 5}]}]}),
            ("spec-empty", {}), ("retain-text", {"template": good, "placement": {"clusters": member1}, "retainReplicas": "yes"})):
        t.host.create(gadgets.fed, plane.namespace, {"kind": "Federated" + gadgets.kind, "metadata": {"name": name}, "spec": spec})
    gadgets.create("good", ["member1"])
    gadgets.propagated("good", ["member1"])

    def judged():
        for obj in t.host.list(gadgets.fed, plane.namespace):
            assert (obj.get("status") or {}).get("observedGeneration") == 1, f"{obj['metadata']['name']}: {show(obj.get('status'))}"
    eventually(judged)
    assert plane.controller.alive()


@test()
def a_status_that_somebody_breaks_is_restored(t):
    t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace, clusters=["member1"])
    t.propagated(FCM, namespace, "greet", ["member1"])
    t.host.patch(FCM, namespace, "greet", {"status": {
        "conditions": [], "clusters": [{"name": "ghost", "status": "CreationFailed"}], "observedGeneration": 99}}, "status")
    # Any change of the object brings the truth back.
    t.edit(FCM, namespace, "greet", lambda o: o["spec"]["template"].update(data={"x": "y"}))
    t.propagated(FCM, namespace, "greet", ["member1"])


@test()
def an_unchanged_object_is_not_written_again(t):
    """Labels and annotations of the federated object itself change nothing in the members."""
    t.main()
    namespace = t.namespace(["member1"])
    t.configmap(namespace, clusters=["member1"])
    t.propagated(FCM, namespace, "greet", ["member1"])
    eventually(lambda: check_versions(t, FCM, k.CONFIGMAPS, namespace, "greet", "configmap-greet", ["member1"]))
    member_version = t.member1.get(k.CONFIGMAPS, namespace, "greet")["metadata"]["resourceVersion"]
    after = t.host.patch(FCM, namespace, "greet", {"metadata": {"labels": {"some": "thing"}, "annotations": {"an": "other"}}})

    def quiet():
        expect(t.member1.get(k.CONFIGMAPS, namespace, "greet")["metadata"]["resourceVersion"], member_version, "version in member1")
        expect(t.host.get(FCM, namespace, "greet")["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"], "version on host")
    stays(quiet, 2)


@test()
def kinds_of_the_same_name_in_two_groups_do_not_disturb_each_other(t):
    """Q-44: both would have the same version record; the second's is kept in memory, and nothing is written again and again."""
    plane, gadgets, _ = t.private(members=("member1",))
    group = "other.example.com"
    t.member1.create(k.CRDS, None, crd(group, "v1", gadgets.plural, gadgets.kind, GADGET_SCHEMA))
    t.host.create(k.CRDS, None, crd(
        "types.other.example.com", "v1beta1", "federated" + gadgets.plural, "Federated" + gadgets.kind,
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True}))
    ftc = {"metadata": {"name": f"{gadgets.plural}.{group}"}, "spec": {
        "propagation": "Enabled",
        "targetType": {"group": group, "version": "v1", "kind": gadgets.kind, "pluralName": gadgets.plural, "scope": "Namespaced"},
        "federatedType": {"group": "types.other.example.com", "version": "v1beta1", "kind": "Federated" + gadgets.kind,
                          "pluralName": "federated" + gadgets.plural, "scope": "Namespaced"}}}
    t.host.create(k.FTC, plane.namespace, ftc)
    plane.wait_running(ftc["metadata"]["name"])
    other, target = f"types.other.example.com/v1beta1/federated{gadgets.plural}", f"{group}/v1/{gadgets.plural}"
    for api, resource in ((t.host, other), (t.member1, target)):    # which a controller that runs does not tell
        eventually(lambda a=api, r=resource: a.list(r, plane.namespace))
    gadgets.create("same", ["member1"], data={"whose": "first"})
    gadgets.propagated("same", ["member1"])
    name = f"{gadgets.kind.lower()}-same"
    record = eventually(lambda: check_versions(t, gadgets.fed, gadgets.target, plane.namespace, "same", name, ["member1"]))
    t.host.create(other, plane.namespace, {
        "kind": "Federated" + gadgets.kind, "metadata": {"name": "same"}, "spec": {
            "template": {"data": {"whose": "second"}}, "placement": {"clusters": [{"name": "member1"}]}}})
    t.propagated(other, plane.namespace, "same", ["member1"])
    versions = [t.member1.get(r, plane.namespace, "same")["metadata"]["resourceVersion"] for r in (target, gadgets.target)]
    for number in range(3):
        for fed in (other, gadgets.fed):
            t.host.patch(fed, plane.namespace, "same", {"spec": {"note": number}})
    stays(lambda: expect([t.member1.get(r, plane.namespace, "same")["metadata"]["resourceVersion"] for r in (target, gadgets.target)],
                         versions, "versions in member1"), 2)
    expect(version_object(t, plane.namespace, name)["status"], record, "the first's record")
