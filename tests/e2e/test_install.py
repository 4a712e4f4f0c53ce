"""The chart on real clusters: what it renders is accepted, and its accounts can do what the programs do, and no more."""
import base64
import json
import os
import subprocess

import charts
import faults
from harness import FCM, FDEPLOY, FSVC, SYSTEM, ControlPlane, Controller, eventually, expect, k, test
from test_alone import plane_of
from test_collection import STATUS_TYPE
from test_renewal import aged, requested
from test_scheduling import RSP, deployment
from test_unreachable import lose, pending
from old_kubefed import FSS

CONTROLLER = "kubefed-controller-manager"
CM = "controllermanager."
RIGHTS = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
# Kinds that the lab's API servers do not have: operators of Prometheus and cert-manager are not installed.
NOT_SERVED = {"cert-manager.io/v1", "monitoring.coreos.com/v1"}


def kubectl(env, *arguments, stdin="", kubeconfig=None):
    return subprocess.run(["kubectl", "--kubeconfig", kubeconfig or env.kubeconfig, *([] if kubeconfig else ["--context", "host"]),
                           *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def set_values(*values):
    return [a for v in values for a in ("--set", v)]


def delete_all(env, objects):
    result = kubectl(env, "delete", "--ignore-not-found", "--wait=false", "-f", "-",
                     stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    assert result.returncode == 0, result.stdout


def nothing_was_refused(controller):
    """A namespace that goes takes no new events, whatever the rights are."""
    refused = [line for line in controller.log().splitlines()
               if ("orbidden" in line or " 403" in line) and "it is being terminated" not in line]
    expect(refused[:5], [], f"{len(refused)} refusals in the log")


# ---- cluster scope

def nearly_expired(t, plane, member):
    """Gives the cluster a token that ends soon; returns a check that another one is stored."""
    secret = plane.cluster(member)["spec"]["secretRef"]["name"]
    before = t.host.get(k.SECRETS, plane.namespace, secret)["data"]["token"]
    token = aged(t, member, requested(t, member, t.unique("install")), 3000, 600)
    given = base64.b64encode(token.encode()).decode()
    t.host.patch(k.SECRETS, plane.namespace, secret, {"data": {"token": given}})
    t.cleanup(lambda: t.host.patch(k.SECRETS, plane.namespace, secret, {"data": {"token": before}}))

    def renewed():
        now = t.host.get(k.SECRETS, plane.namespace, secret)["data"]["token"]
        t.env.secrets.add(base64.b64decode(now).decode())
        assert now not in (given, before), "the token was not renewed"
    return renewed


def far_away(t, plane):
    """A third cluster behind a proxy."""
    host, port = t.member3.server.split("//")[1].rsplit(":", 1)
    proxy = faults.Proxy(host.strip("[]"), int(port.strip("/")))
    t.cleanup(proxy.close)
    plane.add_member("member3", name="away", port=proxy.port)
    t.cleanup(lambda: t.host.delete(k.SECRETS, plane.namespace, "away-secret"))
    t.cleanup(lambda: t.host.delete(k.KFC, plane.namespace, "away"))
    return proxy


def service_status(t, plane):
    before = t.host.get(k.FTC, plane.namespace, "services")["spec"]
    t.edit(k.FTC, plane.namespace, "services", lambda o: o["spec"].update(statusCollection="Enabled", statusType=STATUS_TYPE))
    t.cleanup(lambda: t.edit(k.FTC, plane.namespace, "services", lambda o: o.update(spec=before)))


@test(alone=True, smoke=True)
def the_rights_of_the_chart_are_enough(t):
    """Cluster scope: every kind of work that the controller manager does, with its account's rights and nothing else."""
    # The cluster that is lost refuses connections, which shows at once; removals from one that is only busy must not be put off.
    plane = plane_of(t, {"clusterHealthCheck": {"period": "1s", "timeout": "10s"},
                         "controllerDuration": {"availableDelay": "1s", "unavailableDelay": "2s"}})
    objects = charts.render(SYSTEM)
    rights = [o for o in objects if o["kind"] in RIGHTS]
    charts.apply(t.env, rights)
    t.cleanup(delete_all, t.env, rights)
    kubeconfig = charts.account_kubeconfig(t.env, SYSTEM, "kubefed-controller", "installed")
    charts.wait_for_rights(kubeconfig, rights, "kubefed-controller")
    renewed, proxy = nearly_expired(t, plane, "member1"), far_away(t, plane)
    service_status(t, plane)
    controller = plane.start((*charts.command_of(objects, CONTROLLER), "--kubeconfig", kubeconfig, "--orphan-unreachable-after=1s"))
    try:
        work(t, plane, proxy, renewed)
        nothing_was_refused(controller)
    finally:
        controller.close()


def work(t, plane, proxy, renewed):
    eventually(renewed)
    plane.wait_ready("member1", "member2", "away")
    plane.wait_running("namespaces", "configmaps", "deployments.apps", "services")
    namespace = t.namespace(["member1", "member2", "away"])
    t.configmap(namespace, clusters=["member1", "away"])
    t.federate(FDEPLOY, namespace, "web", deployment(namespace))
    t.host.create(RSP, namespace, {"metadata": {"name": "web"}, "spec": {
        "targetKind": "FederatedDeployment", "totalReplicas": 9, "clusters": {"member1": {"weight": 1}, "member2": {"weight": 2}}}})
    t.federate(FSVC, namespace, "web", {"spec": {"ports": [{"name": "http", "port": 80}]}}, clusters=["member1", "member2", "away"])
    t.propagated(FCM, namespace, "greet", ["member1", "away"])
    # Who gets how many depends on which Deployment was seen first.
    eventually(lambda: expect(sum(m.get(k.DEPLOYMENTS, namespace, "web")["spec"]["replicas"] for m in (t.member1, t.member2)), 9, "replicas"))
    eventually(lambda: expect(k.condition(t.host.get(RSP, namespace, "web"), "Scheduled").get("status"), "True", "Scheduled"))
    eventually(lambda: expect({"member1", "away"} - {c["clusterName"] for c in t.host.get(FSS, namespace, "web")["clusterStatus"]}, set(),
                              "clusters that are missing in the status of the Service"))
    eventually(lambda: expect(len(plane.events("greet", namespace, "CreateInCluster")), 2, "events"))
    # A member is lost, and is left behind.
    lose(plane, proxy, "away")
    t.host.delete(FCM, namespace, "greet")
    t.gone(t.host, FCM, namespace, "greet")
    expect(list(pending(t, plane)), ["away"], "clusters with removals that were put off")
    proxy.pass_on()
    t.gone(t.member3, k.CONFIGMAPS, namespace, "greet")
    eventually(lambda: expect(pending(t, plane), {}, "removals that were put off"))
    eventually(lambda: expect(len(plane.events("member1", reason="TokenRenewed")) > 0, True, "told that the token was renewed"))
    # In an orderly end nothing waits for a controller that is not there.
    t.host.delete(k.NAMESPACES, None, namespace)
    t.gone(t.host, k.NAMESPACES, None, namespace, 150)


# ---- namespace scope

OUT_OF_REACH = (("v1/namespaces", None), ("v1/nodes", None), ("v1/secrets", None), ("v1/configmaps", None), (k.CPV, None), (k.PV, None),
                (k.KFC, None), (FCM, None), (FCM, "default"), ("v1/secrets", "default"), (k.CRDS, None), (k.CLUSTERROLES, None))


class Team:
    """The chart in a namespace of its own, without pods, and our controller manager with its command line and its rights."""

    def __init__(self, t, *values):
        self.t, self.namespace = t, t.unique("team")
        t.host.create(k.NAMESPACES, None, {"metadata": {"name": self.namespace}})
        t.cleanup(lambda: t.host.delete(k.NAMESPACES, None, self.namespace, missing_ok=True))
        result = kubectl(t.env, "apply", "--server-side", "--force-conflicts", "-f",
                         os.path.join(charts.TOP, "deploy", "manifests", "crds.yaml"))
        assert result.returncode == 0, result.stdout
        self.objects = charts.render(self.namespace, *set_values(*values))
        t.cleanup(lambda: charts.delete_unnamespaced(t.env, self.objects))
        charts.apply(t.env, self.objects)
        self.kubeconfig = charts.account_kubeconfig(t.env, self.namespace, "kubefed-controller", self.namespace)
        charts.wait_for_rights(self.kubeconfig, self.objects, "kubefed-controller")
        self.plane = ControlPlane(t.env, self.namespace, "Namespaced")
        t._planes.append(self.plane)
        self.controller = self.plane.start((*charts.command_of(self.objects, CONTROLLER), "--kubeconfig", self.kubeconfig))
        t.cleanup(self.controller.close)

    def types(self):
        return sorted(o["metadata"]["name"] for o in self.objects if o["kind"] == "FederatedTypeConfig")


@test(alone=True)
def a_namespace_scoped_installation_from_beginning_to_end(t):
    """Install, join, federate, propagate, delete, unjoin, uninstall; nothing outside of the namespace is looked at or touched."""
    team = Team(t, "global.scope=Namespaced", CM + "controller.leaderElectionLock=leases", CM + "clusterHealthCheckPeriod=1s",
                CM + "clusterHealthCheckTimeout=1s")
    plane, namespace = team.plane, team.namespace
    t.host.get("coordination.k8s.io/v1/leases", namespace, CONTROLLER)
    for member in ("member1", "member2"):
        plane.ctl("join", member, "--cluster-context", member)
    plane.wait_ready("member1", "member2")
    running = [n for n in team.types() if n != "namespaces"]
    plane.wait_running(*running)
    plane.wait_running("namespaces", state="NotRunning")
    plane.add_type("rbac.authorization.k8s.io/v1/clusterroles", namespaced=False)
    plane.wait_running("clusterroles.rbac.authorization.k8s.io", state="NotRunning")
    t.host.create(FCM, "default", {"metadata": {"name": namespace}, "spec": {
        "placement": {"clusterSelector": {}}, "template": {"data": {"a": "b"}}}})
    t.cleanup(lambda: t.host.delete(FCM, "default", namespace))
    t.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "own"}, "data": {"lang": "en"}})
    plane.ctl("federate", "configmaps", "own", "--namespace", namespace)
    t.propagated(FCM, namespace, "own")
    for member in (t.member1, t.member2):
        expect(member.get(k.CONFIGMAPS, namespace, "own")["data"], {"lang": "en"}, "data in the member")
    eventually(lambda: expect(len(t.host.list(k.PV, namespace)), 1, "versions"))
    # One step of work later, that of another namespace is as it was made.
    elsewhere = t.host.get(FCM, "default", namespace)
    expect((elsewhere.get("status"), elsewhere["metadata"].get("finalizers")), (None, None), "status and finalizers elsewhere")
    out_of_reach(t, team)
    t.host.delete(FCM, namespace, "own")
    t.gone(t.host, FCM, namespace, "own")
    for member in (t.member1, t.member2):
        expect(member.find(k.CONFIGMAPS, namespace, "own"), None, "object in the member")
    log = team.controller.log()
    assert "clusterpropagatedversions" not in log, "it looks for cluster-scoped versions"
    nothing_was_refused(team.controller)
    uninstall(t, team)


def out_of_reach(t, team):
    account = k.load(team.kubeconfig)["host"]
    for resource, namespace in OUT_OF_REACH:
        try:
            account.list(resource, namespace)
        except k.ApiError as e:
            expect(e.code, 403, f"status of a list of {resource} in {namespace}")
        else:
            raise AssertionError(f"the account may list {resource} in {namespace or 'all namespaces'}")
    said = kubectl(t.env, "auth", "can-i", "get", "secrets", "--all-namespaces", kubeconfig=team.kubeconfig).stdout
    expect(said.strip().splitlines()[-1], "no", "kubectl auth can-i get secrets --all-namespaces")


def uninstall(t, team):
    """As the chart's README says: nothing may hang."""
    for member in ("member1", "member2"):
        team.plane.ctl("unjoin", member, "--cluster-context", member)
    result = kubectl(t.env, "-n", team.namespace, "delete", "federatedtypeconfigs", "--all", "--timeout=90s")
    assert result.returncode == 0, result.stdout
    team.controller.stop()
    charts.delete_unnamespaced(t.env, team.objects)
    t.host.delete(k.NAMESPACES, None, team.namespace)
    t.gone(t.host, k.NAMESPACES, None, team.namespace, 150)


@test(alone=True)
def a_deleted_configuration_comes_back_with_the_scope_of_the_installation(t):
    """In one namespace there are no rights for the other scope: the control plane would do nothing, and look healthy."""
    team = Team(t, "global.scope=Namespaced")
    team.controller.stop()
    t.host.delete(k.KFCONFIG, team.namespace, "kubefed")
    again = Controller(team.plane, (*charts.command_of(team.objects, CONTROLLER), "--kubeconfig", team.kubeconfig))
    again.start(environment=charts.environment_of(team.objects, CONTROLLER))
    t.cleanup(lambda: again.stop() if again.alive() else None)
    expect(t.host.get(k.KFCONFIG, team.namespace, "kubefed")["spec"]["scope"], "Namespaced", "scope")
    team.plane.wait_running("configmaps")
    nothing_was_refused(again)


# ---- what is rendered

VALUES = {
    "defaults": (), "namespaced": ("global.scope=Namespaced",), "only types": (CM + "enabled=false",),
    "everything": [CM + v for v in (
        "networkPolicy.enabled=true", "monitoring.serviceMonitor.enabled=true", "controller.env.HTTPS_PROXY=http://p:3128",
        "controller.annotations.a=b", "controller.podAnnotations.a=b", "controller.forceRedeployment=true",
        "controller.extraArgs={--seccomp=false}", "webhook.annotations.a=b", "webhook.podAnnotations.a=b", "webhook.validateStatus=true",
        "webhook.failurePolicy=Ignore", "service.labels.l=v", "commonNodeSelector.disk=ssd", "imagePullSecrets={}",
        "featureGates.RawResourceStatusCollection=Enabled")],
    "namespaced, leases": ("global.scope=Namespaced", CM + "controller.leaderElectionLock=leases", CM + "networkPolicy.enabled=true"),
    "nulls": [CM + v + "=null" for v in ("controller.replicaCount", "webhook.replicaCount", "controller.logLevel", "featureGates",
                                         "syncController", "service", "monitoring", "networkPolicy", "certManager")],
    "endpoints": (CM + "leaderElectResourceLock=endpoints", CM + "controller.replicaCount=1", CM + "webhook.replicaCount=1"),
    "cert-manager": (CM + "certManager.enabled=true", "global.scope=Namespaced"),
    "own certificate": (CM + "webhook.existingCertSecret=mine", CM + "webhook.caBundle=Q0E="),
}


@test()
def whatever_the_chart_renders_is_accepted(t):
    """Every combination of values, as an API server sees it: a dry run on the server."""
    namespace = t.unique("rendered")
    t.host.create(k.NAMESPACES, None, {"metadata": {"name": namespace}})
    t.cleanup(lambda: t.host.delete(k.NAMESPACES, None, namespace))
    served = {"v1"} | {v["groupVersion"] for g in t.host.call("GET", "/apis")["groups"] for v in g["versions"]}
    for name, values in VALUES.items():
        objects = charts.render(namespace, *set_values(*values))
        strange = {o["apiVersion"] for o in objects} - served
        assert strange <= NOT_SERVED, f"{name}: nobody serves {strange - NOT_SERVED}"
        items = [o for o in objects if o["apiVersion"] in served]
        result = kubectl(t.env, "apply", "--dry-run=server", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        assert result.returncode == 0, f"{name}: {result.stdout}"
        # Among them may be what kubectl says about its own speed.
        taken = [line for line in result.stdout.splitlines() if line.endswith("(server dry run)")]
        expect(len(taken), len(items), f"{name}: objects that were taken: {result.stdout}")


@test()
def the_definitions_are_accepted_by_a_server_side_apply(t):
    result = kubectl(t.env, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f",
                     os.path.join(charts.TOP, "deploy", "manifests", "crds.yaml"))
    assert result.returncode == 0, result.stdout
    expect(result.stdout.count(" serverside-applied"), 17, f"definitions in {result.stdout}")
