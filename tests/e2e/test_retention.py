"""What an update keeps of the member's object (controllers.md 5.8; docs/propagation.md), on real API servers."""
import os
import subprocess

from harness import FDEPLOY, FSVC, eventually, expect, k, show, stays, test

HPA = "autoscaling/v1/horizontalpodautoscalers"
PVC, PV_ = "v1/persistentvolumeclaims", "v1/persistentvolumes"
JOBS = "batch/v1/jobs"
INGRESSES = "networking.k8s.io/v1/ingresses"
WEBHOOKS = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def web(replicas=None, image="i"):
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": image}]}}}
    return {"spec": spec if replicas is None else {**spec, "replicas": replicas}}


def scale(api, namespace, name, replicas, resource=k.DEPLOYMENTS):
    api.patch(resource, namespace, name, {"spec": {"replicas": replicas}}, "scale")


def replicas_of(api, namespace, name="web"):
    return api.get(k.DEPLOYMENTS, namespace, name)["spec"]["replicas"]


def autoscaler(api, namespace, name="web"):
    api.create(HPA, namespace, {"metadata": {"name": name}, "spec": {
        "maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}}})


def types(t, *names):
    """Enables types in the shared control plane."""
    plane = t.main()
    for name in names:
        if not t.host.find(k.FTC, plane.namespace, name):
            plane.ctl("enable", name)
    plane.wait_running(*names)
    for name in names:      # the API server needs a moment to serve a new kind
        eventually(lambda n=name: t.host.list(k.FED + n.split(".")[0]))
    return plane


@test(smoke=True)
def an_autoscaler_in_the_member_owns_the_replicas(t):
    """docs/propagation.md: in that member only, from the moment it is there until it goes."""
    t.main()
    namespace = t.namespace()
    t.federate(FDEPLOY, namespace, "web", web(2))
    t.propagated(FDEPLOY, namespace, "web")
    autoscaler(t.member1, namespace)
    tries = iter(range(1000))

    def left_alone():
        """By a write that comes later, too: then the autoscaler is known."""
        scale(t.member1, namespace, "web", 5)
        stays(lambda: expect(replicas_of(t.member1, namespace), 5, "replicas in member1"), 1)
        labels = {"try": str(next(tries))}
        t.edit(FDEPLOY, namespace, "web", lambda o: o["spec"]["template"].update(metadata={"labels": labels}))
        t.propagated(FDEPLOY, namespace, "web")
        expect(t.member1.get(k.DEPLOYMENTS, namespace, "web")["metadata"]["labels"].get("try"), labels["try"], "label")
        expect(replicas_of(t.member1, namespace), 5, "replicas in member1 after a write")
    eventually(left_alone)
    scale(t.member2, namespace, "web", 5)
    eventually(lambda: expect(replicas_of(t.member2, namespace), 2, "replicas in member2, without autoscaler"))
    # A change of the template does not touch them either.
    t.edit(FDEPLOY, namespace, "web", lambda o: o["spec"].update(template=web(3, "j")))
    t.propagated(FDEPLOY, namespace, "web")
    expect((replicas_of(t.member1, namespace), replicas_of(t.member2, namespace)), (5, 3), "replicas after the change")
    t.member1.delete(HPA, namespace, "web")
    eventually(lambda: expect(replicas_of(t.member1, namespace), 3, "replicas in member1 without its autoscaler"))


@test()
def scaling_what_belongs_to_the_member_is_no_drift(t):
    """Neither requests nor a fight: the version record follows."""
    t.main()
    namespace = t.namespace(("member1",))
    t.federate(FDEPLOY, namespace, "web", web(1), clusters=("member1",), retainReplicas=True)
    t.propagated(FDEPLOY, namespace, "web", ["member1"])
    versions = []
    for replicas in range(2, 12):
        scale(t.member1, namespace, "web", replicas)
        live = t.member1.get(k.DEPLOYMENTS, namespace, "web")
        versions.append(live["metadata"]["generation"])
    writers = [m for m in live["metadata"]["managedFields"] if m["manager"] == "kubefed"]
    expect(len(writers), 1, "our writes")
    stays(lambda: expect(replicas_of(t.member1, namespace), 11, "replicas"), 1)
    t.propagated(FDEPLOY, namespace, "web", ["member1"])
    after = t.member1.get(k.DEPLOYMENTS, namespace, "web")
    expect([m["time"] for m in after["metadata"]["managedFields"] if m["manager"] == "kubefed"],
           [m["time"] for m in writers], "times of our writes")


@test()
def a_template_without_replicas_leaves_them_to_the_member(t):
    t.main()
    namespace = t.namespace(("member1",))
    t.federate(FDEPLOY, namespace, "web", web(), clusters=("member1",))
    t.propagated(FDEPLOY, namespace, "web", ["member1"])
    scale(t.member1, namespace, "web", 4)
    t.edit(FDEPLOY, namespace, "web", lambda o: o["spec"].update(template=web(image="j")))
    t.propagated(FDEPLOY, namespace, "web", ["member1"])
    expect(replicas_of(t.member1, namespace), 4, "replicas")


@test()
def the_switches_bring_back_the_old_behavior(t):
    """YieldToAutoscalers=false and RetainBoundFields=false: replicas are what the template says, or the default."""
    plane, gadgets, _ = t.private(members=("member1",), start=False)

    def with_scale(definition):
        definition["spec"]["versions"][0]["subresources"]["scale"] = {
            "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    t.edit(k.CRDS, None, f"{gadgets.plural}.{gadgets.group}", with_scale, t.member1)
    plane.start(arguments=("--behavior", "YieldToAutoscalers=false,RetainBoundFields=false"))
    plane.wait_ready("member1")
    plane.wait_running(gadgets.ftc)
    for name, spec in (("scaled", {"replicas": 2}), ("open", {"color": "red"})):
        t.federate(gadgets.fed, plane.namespace, name, {"spec": spec}, clusters=("member1",))
        gadgets.propagated(name, ["member1"])
        t.member1.create(HPA, plane.namespace, {"metadata": {"name": name}, "spec": {"maxReplicas": 9, "scaleTargetRef": {
            "apiVersion": f"{gadgets.group}/v1", "kind": gadgets.kind, "name": name}}})
        t.member1.patch(gadgets.target, plane.namespace, name, {"spec": {"replicas": 7}})
        eventually(lambda n=name, want=spec: expect(gadgets.in_member("member1", n)["spec"], want, f"spec of {n}"))


@test()
def an_unknown_switch_is_refused_with_all_names(t):
    done = subprocess.run([os.path.join(t.env.bin, "controller-manager"), "--behavior", "Foo=true"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=90)
    expect(done.returncode, 1, "exit status")
    assert 'unknown behavior "Foo"' in done.stderr and "YieldToAutoscalers" in done.stderr, done.stderr


@test(smoke=True)
def any_scale_sub_resource_can_be_retained(t):
    """5.8 retainReplicas, beyond KubeFed: the path comes from the CustomResourceDefinition."""
    plane, gadgets, _ = t.private(members=("member1",), start=False)

    def with_scale(definition):
        version = definition["spec"]["versions"][0]
        version["subresources"]["scale"] = {"specReplicasPath": ".spec.size.wanted", "statusReplicasPath": ".status.size"}
        version["schema"]["openAPIV3Schema"]["properties"]["spec"] = {
            "type": "object", "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"size": {"type": "object", "properties": {"wanted": {"type": "integer"}}}}}
    t.edit(k.CRDS, None, f"{gadgets.plural}.{gadgets.group}", with_scale, t.member1)
    plane.start()
    plane.wait_ready("member1")
    plane.wait_running(gadgets.ftc)
    for name, retain in (("kept", True), ("reset", False)):
        t.federate(gadgets.fed, plane.namespace, name, {"spec": {"size": {"wanted": 2}, "color": "red"}},
                   clusters=("member1",), retainReplicas=retain)
        gadgets.propagated(name, ["member1"])
        t.member1.patch(gadgets.target, plane.namespace, name, {"spec": {"size": {"wanted": 7}}})
    eventually(lambda: expect(gadgets.in_member("member1", "reset")["spec"]["size"], {"wanted": 2}, "size of what is reset"))
    for name in ("kept", "reset"):
        t.edit(gadgets.fed, plane.namespace, name, lambda o: o["spec"]["template"]["spec"].update(color="blue"))
        gadgets.propagated(name, ["member1"])
    expect(gadgets.in_member("member1", "kept")["spec"], {"size": {"wanted": 7}, "color": "blue"}, "what is kept")
    expect(gadgets.in_member("member1", "reset")["spec"], {"size": {"wanted": 2}, "color": "blue"}, "what is reset")


def bump(t, fed, namespace, name, cluster="member1"):
    """A change that must be written, so that retention shows; then everything is well."""
    t.edit(fed, namespace, name, lambda o: o["spec"]["template"].setdefault("metadata", {}).update(labels={"bumped": "yes"}))
    t.propagated(fed, namespace, name, [cluster] if cluster else [])


@test()
def a_job_keeps_its_selector_and_pod_labels(t):
    """Q-21: without manualSelector, the API server makes both; they cannot be changed."""
    types(t, "jobs.batch")
    namespace = t.namespace(("member1",))
    fed = k.FED + "jobs"
    t.federate(fed, namespace, "work", {"spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}, clusters=("member1",))
    t.propagated(fed, namespace, "work", ["member1"])
    before = t.member1.get(JOBS, namespace, "work")
    assert before["spec"]["selector"]["matchLabels"], before
    bump(t, fed, namespace, "work")
    after = t.member1.get(JOBS, namespace, "work")
    expect(after["spec"], before["spec"], "spec")
    expect(after["metadata"]["labels"].get("bumped"), "yes", "label")


@test()
def a_claim_keeps_its_volume_and_class(t):
    types(t, "persistentvolumeclaims")
    namespace = t.namespace(("member1",))
    fed = k.FED + "persistentvolumeclaims"
    t.federate(fed, namespace, "data", {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
               clusters=("member1",))
    t.propagated(fed, namespace, "data", ["member1"])
    volume = t.unique("volume")
    t.cleanup(lambda: t.member1.delete(PV_, None, volume, missing_ok=True))
    t.member1.create(PV_, None, {"metadata": {"name": volume}, "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp/none"},
        "claimRef": {"namespace": namespace, "name": "data"}, "persistentVolumeReclaimPolicy": "Retain"}})

    def bound():
        spec = t.member1.get(PVC, namespace, "data")["spec"]
        expect(spec.get("volumeName"), volume, "volumeName")
    eventually(bound)
    bump(t, fed, namespace, "data")
    live = t.member1.get(PVC, namespace, "data")
    expect((live["spec"]["volumeName"], live["metadata"]["labels"].get("bumped")), (volume, "yes"), "claim")


@test()
def injected_certificates_stay(t):
    """Somebody in the member fills in clientConfig.caBundle of a webhook configuration."""
    types(t, "validatingwebhookconfigurations.admissionregistration.k8s.io")
    fed = k.FED + "validatingwebhookconfigurations"
    name = t.unique("hooks")
    hook = {"name": "never.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore",
            "clientConfig": {"url": "https://127.0.0.1:1/"}, "rules": [{
                "apiGroups": ["none.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothings"]}]}
    t.cleanup(lambda: t.host.delete(fed, None, name, missing_ok=True))
    t.federate(fed, None, name, {"webhooks": [hook]}, clusters=("member1",))
    t.propagated(fed, None, name, ["member1"])
    bundle = t.env.entry("member1")[1]
    t.edit(WEBHOOKS, None, name, lambda o: o["webhooks"][0]["clientConfig"].update(caBundle=bundle), t.member1)
    bump(t, fed, None, name)
    expect(t.member1.get(WEBHOOKS, None, name)["webhooks"][0]["clientConfig"].get("caBundle"), bundle, "caBundle")
    # A bundle in the template wins.
    t.edit(fed, None, name, lambda o: o["spec"]["template"]["webhooks"][0]["clientConfig"].update(caBundle=t.env.entry("member2")[1]))
    t.propagated(fed, None, name, ["member1"])
    expect(t.member1.get(WEBHOOKS, None, name)["webhooks"][0]["clientConfig"].get("caBundle"), t.env.entry("member2")[1], "caBundle")


@test()
def addresses_and_ports_of_a_service_stay(t):
    """5.8: clusterIP(s), nodePort, healthCheckNodePort, for services whose template says nothing of them (Q-22)."""
    t.main()
    namespace = t.namespace(("member1",))
    t.federate(FSVC, namespace, "web", {"spec": {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "selector": {"a": "b"},
                                                 "ports": [{"name": "http", "port": 80}, {"name": "tls", "port": 443}]}},
               clusters=("member1",))
    t.propagated(FSVC, namespace, "web", ["member1"])
    before = t.member1.get(k.SERVICES, namespace, "web")["spec"]
    assert before["clusterIP"] and before["healthCheckNodePort"] and before["ports"][0]["nodePort"], show(before)
    bump(t, FSVC, namespace, "web")
    expect(t.member1.get(k.SERVICES, namespace, "web")["spec"], before, "spec")


@test()
def a_service_account_keeps_its_secrets(t):
    types(t, "serviceaccounts")
    namespace = t.namespace(("member1",))
    fed = k.FED + "serviceaccounts"
    t.federate(fed, namespace, "robot", {"automountServiceAccountToken": False}, clusters=("member1",))
    t.propagated(fed, namespace, "robot", ["member1"])

    def fill(live):
        live["secrets"] = (live.get("secrets") or []) + [{"name": "more"}]
        live["imagePullSecrets"] = [{"name": "pull"}]
    # Kubernetes adds the Secret of the token at the same time.
    t.edit(k.SERVICEACCOUNTS, namespace, "robot", fill, t.member1)
    bump(t, fed, namespace, "robot")
    after = t.member1.get(k.SERVICEACCOUNTS, namespace, "robot")
    assert {"name": "more"} in after["secrets"] and after["imagePullSecrets"] == [{"name": "pull"}], show(after)


def bind_and_change(t, fed, namespace, name):
    """A pod when it is bound to a node, and after a change of its image."""
    t.federate(fed, namespace, name, {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}, clusters=("member1",))
    t.propagated(fed, namespace, name, ["member1"])
    t.member1.call("POST", k.path_of("v1/pods", namespace, name, "binding"), {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"kind": "Node", "name": "none"}})
    before = t.member1.get("v1/pods", namespace, name)
    t.edit(fed, namespace, name, lambda o: o["spec"]["template"]["spec"]["containers"][0].update(image="i:2"))
    t.propagated(fed, namespace, name, ["member1"])
    return before, t.member1.get("v1/pods", namespace, name)


@test()
def a_pod_that_was_scheduled_stays_as_it_is(t):
    types(t, "pods")
    namespace = t.namespace(("member1",))
    for name in ("one", "two", "three"):
        before, after = bind_and_change(t, k.FED + "pods", namespace, name)
        # Kubernetes removes pods of a node that is not there, after 40 s: then it is another one.
        if after["metadata"]["uid"] == before["metadata"]["uid"]:
            break
    expect(after["metadata"]["uid"], before["metadata"]["uid"], "uid")
    expect(before["spec"]["nodeName"], "none", "nodeName")
    before["spec"]["containers"][0]["image"] = "i:2"
    expect(after["spec"], before["spec"], "spec")

