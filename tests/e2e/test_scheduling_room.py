"""Scheduling where pods are: those that cannot be scheduled, and shares by free resources, with nodes and a stand-in for the kubelet."""
from harness import FDEPLOY, SYSTEM, eventually, expect, k, stays, test
from nodes import PODS, Nodes, tolerations
from test_scheduling import RSP, Workloads, condition, deployment, set_preference, shares_of

MEMBERS = ("member1", "member2")


class Scene:
    """A Deployment of pods with one CPU each, and nodes in both members."""

    def __init__(self, t, cpus, unschedulable_for=0, clusters=None, start=True):
        t.main()
        self.t = t
        self.namespace = t.namespace(clusters=MEMBERS)
        self.nodes = {}
        for member, cpu in zip(MEMBERS, cpus):
            self.nodes[member] = Nodes(t, member, self.namespace, unschedulable_for)
            if cpu:
                self.nodes[member].add("a", cpu=str(cpu), memory="64Gi")
            if start:
                self.nodes[member].start()
        self.clusters = clusters or {m: {"weight": 1} for m in MEMBERS}

    def create(self, name="web", cpu="1"):
        self.t.federate(FDEPLOY, self.namespace, name, deployment(
            self.namespace, name, {"cpu": cpu}, tolerations(self.namespace)), clusters=())

    def prefer(self, total, name="web", **spec):
        body = {"targetKind": "FederatedDeployment", "totalReplicas": total, "clusters": self.clusters, **spec}
        set_preference(self.t, self.namespace, name, body)

    def shares(self, name="web"):
        shares = shares_of(self.t.host.get(FDEPLOY, self.namespace, name))
        return {m: shares.get(m) for m in MEMBERS}

    def wait(self, one, two, name="web", timeout=90):
        eventually(lambda: expect(self.shares(name), dict(zip(MEMBERS, (one, two))), f"shares of {name}"), timeout)

    def see(self, one, two):
        """Until the control plane knows the nodes, in which so many fit. It may see a preference before nodes that were there first, and
        what is placed then stays. Asked is for a workload that has no pods."""
        body = deployment(self.namespace, "room", {"cpu": "1"}, tolerations(self.namespace))
        body["spec"]["paused"] = True
        self.t.federate(FDEPLOY, self.namespace, "room", body, clusters=())
        self.prefer(one + two + 1, "room", strategy="FreeResources")
        self.wait(one, two, "room")
        # Nothing is set aside for it any longer, and the nodes are watched on.
        self.prefer(0, "room", strategy="FreeResources")
        self.wait(0, 0, "room")

    def ready(self, one, two, name="web"):
        def are():
            for member, n in zip(MEMBERS, (one, two)):
                status = self.t.env.apis[member].get(k.DEPLOYMENTS, self.namespace, name).get("status", {})
                pods = [(p["spec"].get("nodeName"), p["status"].get("phase")) for p in self.nodes[member].pods()]
                expect(status.get("readyReplicas", 0), n, f"ready replicas in {member} with pods {pods}")
        eventually(are, 90)


@test()
def pods_without_room_are_replaced_elsewhere(t):
    """By weight, as in KubeFed: what could not be scheduled for a minute goes to the cluster that has room."""
    s = Scene(t, (2, 16), unschedulable_for=70)
    s.create()
    s.prefer(8)
    s.wait(2, 6)
    s.ready(2, 6)


@test()
def pods_that_wait_are_given_their_minute(t):
    s = Scene(t, (2, 16), unschedulable_for=-120)     # it may take a minute until the others run
    s.create()
    s.prefer(8)
    s.wait(4, 4)
    s.ready(2, 4)
    s.nodes["member1"].age(2, seconds=25)
    stays(lambda: expect(s.shares(), {"member1": 4, "member2": 4}, "shares within the minute"), 5)
    s.nodes["member1"].age(2, seconds=70)       # the stamps are what it goes by
    s.wait(2, 6)


@test(smoke=True)
def replicas_go_where_there_is_room(t):
    """FreeResources: shares in proportion to what fits; what fits nowhere is not placed, and said."""
    s = Scene(t, (4, 8))
    s.see(4, 8)
    s.create()
    s.prefer(6, strategy="FreeResources")
    s.wait(2, 4)
    s.ready(2, 4)
    s.prefer(20, strategy="FreeResources")
    s.wait(4, 8)
    s.ready(4, 8)
    eventually(lambda: expect(condition(t.host.get(RSP, s.namespace, "web"), "Scheduled")[1:],
                              ("InsufficientResources", "8 of 20 replicas fit in no cluster"), "condition Scheduled"))
    s.nodes["member1"].add("b", cpu="8", memory="64Gi")
    s.wait(12, 8)
    s.ready(12, 8)


@test()
def many_workloads_at_once_do_not_share_the_same_room(t):
    """Pods do not start while ten workloads are placed: what was promised to one is not given to another."""
    s = Scene(t, (10, 10))
    for nodes in s.nodes.values():
        nodes.pause()
    names = [f"web{i}" for i in range(10)]
    for name in names:
        s.create(name)
        s.prefer(3, name, strategy="FreeResources")

    def placed():
        return {m: sum(s.shares(name)[m] or 0 for name in names) for m in MEMBERS}

    def settled():
        for name in names:
            assert condition(t.host.get(RSP, s.namespace, name), "Scheduled")[1] in ("Scheduled", "InsufficientResources"), name
        expect(sum(placed().values()), 20, f"replicas placed ({placed()})")
    eventually(settled, 90)
    expect(placed(), {"member1": 10, "member2": 10}, "replicas placed")
    for nodes in s.nodes.values():
        nodes.resume()
    eventually(lambda: expect({m: len([p for p in n.pods() if p["status"].get("phase") == "Running"])
                               for m, n in s.nodes.items()}, {"member1": 10, "member2": 10}, "pods that run"))
    stays(lambda: expect(placed(), {"member1": 10, "member2": 10}, "replicas placed"), 1)


@test()
def a_cordoned_node_has_no_room(t):
    s = Scene(t, (8, 8))
    s.nodes["member1"].cordon("a")
    s.see(0, 8)
    s.create()
    s.prefer(4, strategy="FreeResources")
    s.wait(0, 4)
    s.nodes["member1"].cordon("a", on=False)
    stays(lambda: expect(s.shares(), {"member1": 0, "member2": 4}, "what runs stays without rebalance"), 1)
    s.prefer(4, strategy="FreeResources", rebalance=True)
    s.wait(2, 2)


@test()
def the_room_of_a_cluster_is_published(t):
    """Other tests have nodes there as well: a resource that only this one's nodes have tells its own."""
    s = Scene(t, (0, 0))
    s.nodes["member1"].add("a", cpu="4", memory="8Gi", **{f"{s.namespace}.example.com/gpu": "4"})
    s.create()
    s.prefer(1, strategy="FreeResources", clusters={"member1": {"weight": 1}})

    def resources():
        return (t.host.get(k.KFC, SYSTEM, "member1").get("status") or {}).get("resources") or {}
    gpu = f"{s.namespace}.example.com/gpu"
    eventually(lambda: expect((resources().get("allocatable") or {}).get(gpu), "4", "allocatable GPUs"), 90)
    expect(resources()["free"][gpu], "4", "free GPUs")
    expect(set(resources()["free"]) >= {"cpu", "memory", "pods"}, True, f"resources of {resources()}")
    s.nodes["member1"].remove("a")
    eventually(lambda: expect((resources().get("allocatable") or {}).get(gpu), None, "GPUs without the node"), 90)
    eventually(lambda: expect(k.condition(t.host.get(k.KFC, SYSTEM, "member1"), "Ready").get("status"), "True", "still ready"))


@test()
def what_pods_use_counts_when_their_node_comes_later(t):
    """Of a resource that only the node brings; the odd resources that pods ask for leave room for those of nodes."""
    s = Scene(t, (0, 0), start=False)
    gpu = f"{s.namespace}.example.com/gpu"
    template = deployment(s.namespace, "web", {gpu: "1"}, tolerations(s.namespace))
    template["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] = {gpu: "1"}
    t.federate(FDEPLOY, s.namespace, "web", template, clusters=())
    s.prefer(20, strategy="FreeResources", clusters={"member1": {"weight": 1}})
    asked = {gpu: "3", **{f"{s.namespace}.example.com/odd{i}": "1" for i in range(16)}}
    pod = {"metadata": {"name": "other"}, "spec": {"nodeName": f"{s.namespace}-a", "containers": [
        {"name": "c", "image": "nginx:1.25", "resources": {"limits": asked, "requests": asked}}]}}
    eventually(lambda: t.env.apis["member1"].create(PODS, s.namespace, pod))
    eventually(lambda: expect(condition(t.host.get(RSP, s.namespace, "web"), "Scheduled")[1:],
                              ("InsufficientResources", "20 of 20 replicas fit in no cluster"), "condition Scheduled"))
    s.nodes["member1"].add("a", cpu="64", memory="64Gi", **{gpu: "8"})
    eventually(lambda: expect(s.shares()["member1"], 5, "share of member1"))
    t.env.apis["member1"].call("DELETE", k.path_of(PODS, s.namespace, "other"), {"gracePeriodSeconds": 0})
    eventually(lambda: expect(s.shares()["member1"], 8, "share without the other pod"))


@test(alone=True)
def the_host_itself_does_not_show_that_members_can_be_reached(t):
    """It is recognised by the KubeFedCluster that it has, and only it."""
    w = Workloads(t, members=("host", *MEMBERS), proxied=MEMBERS)
    w.create()
    w.prefer(6, failover={"after": "5s", "returnAfter": "10s"})
    shares = {"host": 2, "member1": 2, "member2": 2}
    w.wait(shares)
    w.run()
    for proxy in w.proxies.values():
        proxy.refuse()
    w.scheduled("False", "AllClustersLost")
    stays(lambda: expect(w.shares(), shares, "shares while all members seem lost"), 6)


@test(alone=True)
def an_old_definition_of_clusters_is_told_once(t):
    """It drops what is published, without an error. Scheduling goes on."""
    name = "kubefedclusters.core.kubefed.io"
    t.main()
    t.env.stop_main()
    before = t.host.get(k.CRDS, None, name)["spec"]
    old = t.host.get(k.CRDS, None, name)["spec"]
    old["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"].pop("resources")

    def is_kept():
        answer = t.host.patch(k.KFC, SYSTEM, "member1", {"status": {"resources": {"nodes": 1}}}, "status")
        return "resources" in answer["status"]

    def undo():
        t.env.stop_main()       # It would publish nothing for ten minutes.
        t.edit(k.CRDS, None, name, lambda obj: obj.update(spec=before))
        eventually(lambda: expect(is_kept(), True, "the present definition is served"))
    t.cleanup(undo)
    t.edit(k.CRDS, None, name, lambda obj: obj.update(spec=old))
    eventually(lambda: expect(is_kept(), False, "the old definition is served"))
    s = Scene(t, (2, 4), start=False)
    s.create()
    s.prefer(3, strategy="FreeResources")
    s.wait(1, 2)
    controller = t.main().controller
    controller.wait_log("resources of clusters cannot be published")
    s.nodes["member1"].add("b", cpu="2", memory="64Gi")
    s.prefer(9, strategy="FreeResources")
    s.wait(4, 4)
    stays(lambda: expect(controller.log().count("resources of clusters cannot be published"), 1, "lines about the CRD"), 1)
