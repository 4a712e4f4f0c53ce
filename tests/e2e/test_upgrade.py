"""Upgrade in place: our controller manager on a control plane that KubeFed v0.9.2 left, and the way back (upgrade/README.md)."""
import base64
import json
import os
import time

import charts
from harness import FCM, FDEPLOY, MANAGED, SYSTEM, eventually, expect, k, settle, test, write_counts, writes_between
from old_kubefed import FSS, GOLDEN, RSP, OldKubeFed, create, read_yaml
from test_renewal import aged, requested
from way_back import Go, lock_problems, unreadable

RIGHTS = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
# The lock, events, heartbeats of clusters; and the status of preferences, which KubeFed does not have.
OURS = {"PUT configmaps", "POST events", "PATCH events", "PATCH kubefedclusters/status",
        "PATCH replicaschedulingpreferences/status"}
TARGETS = {"namespaces", "configmaps", "deployments", "services", "serviceaccounts", "widgets", "clusterroles"}


def differences(before, after):
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def take_over(old, kubeconfig, transitions, made=()):
    """From the start to the end of the first look: not one write to anything but the lock, the heartbeats and events.

    `made` are objects of the host that could not be made before.
    """
    apis = list(old.clusters.values())
    eventually(lambda: expect(Go(old).writes(), [], "what KubeFed itself would do with what is there"))
    before, counts = old.snapshot(), [write_counts(a) for a in apis]
    held, began = json.loads(old.record())["holderIdentity"], time.monotonic()
    old.start(kubeconfig)
    assert not held or time.monotonic() - began >= 10, "it led before the lock of the old leader had run out"
    old.wait_for_first_look()
    settle(apis, 2, ignore=OURS)
    for cluster, was, api in zip(old.clusters, counts, apis):
        writes = {w: n for w, n in writes_between(was, write_counts(api)).items()
                  if (w not in OURS if cluster == "cluster1" else w.split()[1] in TARGETS)}
        expect(writes, {f"POST {r.rsplit('/', 1)[1]}": 1 for r, _ in made} if cluster == "cluster1" else {},
               f"writes to {cluster} since the start")
    expect(differences(before, old.snapshot()), {f"cluster1 {r} {name}" for r, name in made}, "objects that were written since the start")
    expect(json.loads(old.record())["leaderTransitions"], transitions, "changes of the leader")


def propagate(old, fed, namespace, name, change):
    """A change of a federated object, and its way into both clusters."""
    generation = old.t.edit(fed, namespace, name, change, old.host)["metadata"]["generation"]

    def propagated():
        now = old.host.get(fed, namespace, name)
        expect(now["status"]["observedGeneration"], generation, "generation seen")
        expect(k.condition(now, "Propagation")["status"], "True", f"condition of {name}")
        expect(sorted(c["name"] for c in now["status"]["clusters"] if not c.get("status")), ["cluster1", "cluster2"], "clusters")
    eventually(propagated)


def a_change_costs_what_it_must(old):
    before = old.snapshot()
    propagate(old, FCM, "shop", "greet", lambda o: o["spec"]["template"]["data"].update(more="x"))
    settle(old.clusters.values(), 1, ignore=OURS)
    eventually(lambda: expect(differences(before, old.snapshot()), {
        f"cluster1 {FCM} shop/greet", f"cluster1 {k.PV} shop/configmap-greet", f"cluster1 {k.CONFIGMAPS} shop/greet",
        f"cluster2 {k.CONFIGMAPS} shop/greet"}, "objects that a change of one ConfigMap wrote"))
    live = old.clusters["cluster2"].get(k.CONFIGMAPS, "shop", "greet")
    expect((live["data"], live["metadata"]["annotations"]), ({"lang": "pl", "more": "x"}, {"note": "edge"}), "greet in cluster2")


def what_was_retained_stays(old):
    ports = {c: a.get(k.SERVICES, "shop", "front")["spec"] for c, a in old.clusters.items()}
    propagate(old, k.FED + "services", "shop", "front", lambda o: o["spec"]["template"].update(metadata={"labels": {"new": "1"}}))
    secrets = {c: a.get(k.SERVICEACCOUNTS, "shop", "robot")["secrets"] for c, a in old.clusters.items()}
    propagate(old, k.FED + "serviceaccounts", "shop", "robot", lambda o: o["spec"]["template"]["metadata"]["labels"].update(r="2"))
    for cluster, api in old.clusters.items():
        service = api.get(k.SERVICES, "shop", "front")
        expect((service["spec"]["clusterIP"], service["metadata"]["labels"]), (ports[cluster]["clusterIP"], {"new": "1", MANAGED: "true"}),
               f"Service in {cluster}")
        expect(service["spec"]["ports"][1]["nodePort"], ports[cluster]["ports"][1]["nodePort"], f"node port in {cluster}")
        account = api.get(k.SERVICEACCOUNTS, "shop", "robot")
        expect((account["secrets"], account["metadata"]["labels"]["r"]), (secrets[cluster], "2"), f"ServiceAccount in {cluster}")
    propagate(old, k.FED + "clusterroles", None, "reader", lambda o: o["spec"]["template"]["rules"][0].update(verbs=["get", "list"]))
    propagate(old, k.FED + "widgets", "shop", "gear", lambda o: o["spec"]["template"].update(metadata={"labels": {"w": "1"}}))
    propagate(old, FDEPLOY, "shop", "local", lambda o: o["spec"]["template"]["metadata"]["labels"].update(l="1"))
    expect([a.get(k.DEPLOYMENTS, "shop", "local")["spec"]["replicas"] for a in old.clusters.values()], [1, 2], "replicas that are retained")


def preferences_go_on(old, total, shares):
    old.host.patch(RSP, "shop", "web", {"spec": {"totalReplicas": total}})
    eventually(lambda: expect([a.get(k.DEPLOYMENTS, "shop", "web")["spec"]["replicas"] for a in old.clusters.values()], shares,
                              "replicas of web"))


def a_service_of_one_cluster_waits_for_the_definition(old):
    """KubeFed's definition wants a status of every cluster (A-25): this is told once, and hurts nothing."""
    old.host.create(k.FED + "services", "shop", {"metadata": {"name": "half"}, "spec": {
        "placement": {"clusters": [{"name": "cluster2"}]}, "template": {"spec": {"ports": [{"port": 80}]}}}})
    before = write_counts(old.host)
    eventually(lambda: old.clusters["cluster2"].get(k.SERVICES, "shop", "half"))
    eventually(lambda: expect(k.condition(old.host.get(k.FED + "services", "shop", "half"), "Propagation").get("status"), "True", "Propagation"))

    def tried_again():
        tries = writes_between(before, write_counts(old.host)).get("POST federatedservicestatuses", 0)
        assert tries >= 2, f"{tries} tries to write the status"
    eventually(tried_again)
    warnings = [line for line in old.plane.controller.log().splitlines() if line.startswith("W") and 'FederatedServiceStatus "shop/half"' in line]
    expect(len(warnings), 1, f"warnings: {warnings}")
    assert "clusterStatus.status: Required value" in warnings[0] and "CRD is an old one" in warnings[0], warnings[0]


def deletions_clean_up(old):
    for name in ("leaving", "orphaned"):
        old.host.delete(FCM, "shop", name)
    for name in ("leaving", "orphaned"):
        eventually(lambda n=name: expect(old.host.find(FCM, "shop", n), None, n))
    for cluster, api in old.clusters.items():
        expect(api.find(k.CONFIGMAPS, "shop", "leaving"), None, f"leaving in {cluster}")
        eventually(lambda a=api: expect(a.get(k.CONFIGMAPS, "shop", "orphaned")["metadata"].get("labels"), None, "labels of orphaned"))
    for name in ("leaving", "orphaned"):
        eventually(lambda n=name: expect(old.host.find(k.PV, "shop", f"configmap-{n}"), None, f"the version of {n}"), 120)


def metadata_of(old):
    """{object: what others may look at} on the host, but for what the API server keeps."""
    out = {}
    for resource in (k.KFC, k.KFCONFIG, k.FTC, RSP, FSS, k.PV, k.CPV):
        out.update({(resource, o["metadata"].get("namespace"), o["metadata"]["name"]): o for o in old.host.list(resource)})
    out.update(old.federated())
    return {key: {field: o["metadata"].get(field) for field in ("labels", "annotations", "finalizers", "ownerReferences", "uid")}
            for key, o in out.items()}


def in_system_namespace(old):
    return {(r, o["metadata"]["name"]) for r in (k.CONFIGMAPS, k.SECRETS, k.SERVICEACCOUNTS, "v1/endpoints", "coordination.k8s.io/v1/leases")
            for o in old.host.list(r, SYSTEM)}


def way_back(old, metadata, objects, fields):
    """KubeFed would find nothing to do, nothing that it cannot read, and a lock that is free."""
    settle(old.clusters.values(), 1, ignore=OURS)
    eventually(lambda: expect(Go(old).writes(), [], "what KubeFed would write"))
    old.plane.controller.stop()
    expect(Go(old).writes(), [], "what KubeFed would write")
    expect(lock_problems(old.record()), [], "the lock")
    found = {plural: {path.split(".")[0].split("[")[0] for path in paths} for plural, paths in unreadable(old).items()}
    expect(found, fields, "fields that KubeFed does not know")
    changed = {key: m for key, m in metadata_of(old).items() if metadata.get(key, m) != m}
    expect(changed, {}, "metadata that is not as KubeFed left it")
    expect(in_system_namespace(old) - objects, set(), "objects in the system namespace that KubeFed did not make")


def change(api, resource, namespace, name, function, subresource=None):
    obj = api.get(resource, namespace, name)
    function(obj)
    return api.replace(resource, namespace, obj, subresource)


def let_kubefed_collect_statuses(old):
    """What KubeFed writes when RawResourceStatusCollection is switched on: statuses of members in federated objects."""
    def gates(config):
        next(g for g in config["spec"]["featureGates"] if g["name"] == "RawResourceStatusCollection").update(configuration="Enabled")

    def remote_statuses(target, fed):
        for cluster in fed["status"]["clusters"]:
            live = old.clusters[cluster["name"]].get(target, "shop", fed["metadata"]["name"])
            cluster["remoteStatus"] = live["status"]
    change(old.host, k.KFCONFIG, SYSTEM, "kubefed", gates)
    change(old.host, k.FTC, SYSTEM, "deployments.apps", lambda o: o["spec"].update(statusCollection="Enabled"))
    change(old.host, k.FTC, SYSTEM, "deployments.apps", lambda o: o["status"].update(observedGeneration=o["metadata"]["generation"]), "status")
    change(old.host, k.FTC, SYSTEM, "services", lambda o: o["status"].update(statusController="NotRunning"), "status")
    for target, fed in ((k.DEPLOYMENTS, FDEPLOY), (k.SERVICES, k.FED + "services")):
        for obj in old.host.list(fed):
            change(old.host, fed, "shop", obj["metadata"]["name"], lambda o, t=target: remote_statuses(t, o), "status")


def kubefed_would_mend(old):
    """That nothing was found above proves something."""
    old.host.patch(k.FED + "services", "shop", "front", {"metadata": {"finalizers": None}})
    old.clusters["cluster2"].patch(k.CONFIGMAPS, "shop", "edge", {"data": {"a": "c"}})
    seen = sorted(text.split(":")[0] for text in Go(old).writes())
    expect(seen, [f"{FCM} shop/edge", f"{k.FED}services shop/front"], "what KubeFed would mend")


def upgrade_definitions_and_rights(old):
    """As deploy/chart/kubefed/README.md says: the new definitions over the old ones, the chart's rights in place of KubeFed's."""
    before = old.snapshot()
    old.env.kubectl("apply", "--server-side", "--force-conflicts", "-f", os.path.join(charts.TOP, "deploy", "manifests", "crds.yaml"))
    changed = {key for key in differences(before, old.snapshot()) if "customresourcedefinitions" not in key}
    expect(changed, set(), "objects that did not survive the new definitions as they were")
    eventually(lambda: old.host.get(RSP, "shop", "web", "status"))
    rights = [o for o in charts.render(SYSTEM) if o["kind"] in RIGHTS]
    old.env.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": rights}))
    old.come_to_rest()


@test(smoke=True)
def it_takes_over_what_kubefed_left_and_gives_it_back(t):
    """First with nothing changed but the image: KubeFed's CRDs, the rights of KubeFed's chart; then with those of ours."""
    old = OldKubeFed(t)
    metadata, objects = metadata_of(old), in_system_namespace(old)
    kubeconfig = old.old_rights()
    objects |= in_system_namespace(old)
    take_over(old, kubeconfig, 4)
    a_change_costs_what_it_must(old)
    preferences_go_on(old, 12, [4, 8])
    a_service_of_one_cluster_waits_for_the_definition(old)
    way_back(old, metadata, objects, {})
    old.check_log()

    upgrade_definitions_and_rights(old)
    objects |= in_system_namespace(old)
    take_over(old, kubeconfig, 5, made=[(FSS, "shop/half")])
    what_was_retained_stays(old)
    preferences_go_on(old, 15, [5, 10])
    deletions_clean_up(old)
    unknown = {"replicaschedulingpreferences": {"status"}, "federatedservicestatuses": {"clusterStatus"}}
    way_back(old, metadata, objects, unknown)
    old.check_log()

    let_kubefed_collect_statuses(old)
    take_over(old, kubeconfig, 6)
    way_back(old, metadata, objects, unknown)
    old.check_log()
    kubefed_would_mend(old)


@test()
def the_old_rights_of_one_namespace_are_enough(t):
    """KubeFed's Role: it sees no namespaces and no cluster-scoped versions, and may not change Secrets, so that a token is not renewed."""
    plane, gadgets, _ = t.private(start=False)
    rights = read_yaml(os.path.join(GOLDEN, "rights-namespaced.yaml"), lambda text: text.replace("${namespace}", plane.namespace))
    for obj in rights:
        create(t.host, obj)
    kubeconfig = charts.account_kubeconfig(t.env, plane.namespace, "kubefed-controller", plane.namespace)
    charts.wait_for_rights(kubeconfig, rights, "kubefed-controller")
    token = aged(t, "member1", requested(t, "member1", t.unique("upgrade")), 3000, 600)
    t.host.patch(k.SECRETS, plane.namespace, "member1-secret", {"data": {"token": base64.b64encode(token.encode()).decode()}})
    controller = plane.start(("--kubeconfig", kubeconfig))
    plane.wait_ready("member1", "member2")
    plane.wait_running(gadgets.ftc)
    gadgets.create("one")
    gadgets.propagated("one")
    eventually(lambda: expect(len(t.host.list(k.PV, plane.namespace)), 1, "versions"))
    t.host.delete(gadgets.fed, plane.namespace, "one")
    t.gone(t.host, gadgets.fed, plane.namespace, "one")
    for member in ("member1", "member2"):
        expect(gadgets.in_member(member, "one"), None, f"object in {member}")
    eventually(lambda: expect(len(plane.events("member1", reason="TokenRenewalFailed")), 1, "told that the token could not be stored"))
    refused = [line for line in controller.log().splitlines() if "forbidden" in line and "token" not in line]
    expect(refused, [], "what was refused beside the token")
    assert "clusterpropagatedversions" not in controller.log(), "it looks for cluster-scoped versions"
