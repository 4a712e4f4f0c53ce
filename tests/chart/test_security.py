"""What pods may do on a node, what accounts may do in the API, and that nothing of KubeFed's leftovers is there."""
import unittest

from charts import DEPLOYMENTS, NAMESPACE, SCOPES, container, find, kinds, pod, render, scoped

CERTIFICATES = ([], ["controllermanager.certManager.enabled=true"],
                ["controllermanager.webhook.existingCertSecret=mine", "controllermanager.webhook.caBundle=Q0E="])
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def restricted_problems(spec):
    """What the restricted Pod Security Standard has against a pod."""
    pod_context = spec.get("securityContext") or {}
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield field
    if pod_context.get("sysctls"):
        yield "sysctls"
    if pod_context.get("runAsUser") == 0:
        yield "runs as root"
    for volume in spec.get("volumes") or []:
        if set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume}"
    for c in (spec.get("containers") or []) + (spec.get("initContainers") or []) + (spec.get("ephemeralContainers") or []):
        own = c.get("securityContext") or {}
        if own.get("privileged"):
            yield "privileged"
        if own.get("allowPrivilegeEscalation") is not False:
            yield "allowPrivilegeEscalation"
        if own.get("runAsNonRoot", pod_context.get("runAsNonRoot")) is not True:
            yield "runAsNonRoot"
        if own.get("runAsUser") == 0:
            yield "runs as root"
        if (own.get("seccompProfile") or pod_context.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield "seccompProfile"
        capabilities = own.get("capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or []) or set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
            yield "capabilities"
        if own.get("procMount", "Default") != "Default" or own.get("seLinuxOptions"):
            yield "procMount or SELinux"
        if any("hostPort" in p and p["hostPort"] for p in c.get("ports") or []):
            yield "hostPort"


def rules_of(objects, account):
    """[(kind of role, name, rule)] that an account has."""
    for binding in objects:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        if any(s["name"] == account for s in binding["subjects"]):
            role = find(objects, binding["roleRef"]["kind"], binding["roleRef"]["name"])
            for rule in role["rules"]:
                yield binding["kind"], role["metadata"]["name"], rule


def rights(objects, account, binding=None):
    """{(group, resource, names): verbs}"""
    out = {}
    for kind, _, rule in rules_of(objects, account):
        if binding in (None, kind):
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    out.setdefault((group, resource, ",".join(rule.get("resourceNames", []))), set()).update(rule["verbs"])
    return out


READ, CHANGE = {"get", "list", "watch"}, {"update", "patch"}
CORE, TYPES, SCHEDULING, LEASES = "core.kubefed.io", "types.kubefed.io", "scheduling.kubefed.io", "coordination.k8s.io"
IN_SYSTEM_NAMESPACE = {
    (CORE, "kubefedclusters", ""): READ, (CORE, "federatedtypeconfigs", ""): READ | CHANGE,
    (CORE, "federatedtypeconfigs/status", ""): CHANGE, (CORE, "kubefedclusters/status", ""): CHANGE,
    (CORE, "kubefedconfigs", ""): READ | {"create"}, ("", "secrets", ""): {"get", "patch"},
    ("", "configmaps", "kubefed-pending-removals"): {"get", "patch"}, ("", "configmaps", ""): {"create"},
    **{(group, resource, "kubefed-controller-manager"): {"get"} | CHANGE
       for group, resource in (("", "configmaps"), ("", "endpoints"), (LEASES, "leases"))}}
EVERYWHERE = {
    (TYPES, "*", ""): READ | CHANGE, (CORE, "federatedservicestatuses", ""): READ | CHANGE | {"create"},
    (CORE, "propagatedversions", ""): READ | CHANGE | {"create"}, (CORE, "propagatedversions/status", ""): CHANGE,
    (SCHEDULING, "replicaschedulingpreferences", ""): READ, (SCHEDULING, "replicaschedulingpreferences/status", ""): CHANGE,
    ("", "events", ""): {"create", "patch"}}
CLUSTER_ONLY = {
    (CORE, "clusterpropagatedversions", ""): READ | CHANGE | {"create"}, (CORE, "clusterpropagatedversions/status", ""): CHANGE,
    ("", "namespaces", ""): READ}
# What the leader of a KubeFed v0.9.2 asks of the host with the default lock, by PUT where it changes something: group, resource, name, verbs.
LEADER_OF_KUBEFED = [
    ("", "configmaps", "kubefed-controller-manager", {"get", "create", "update"}), ("", "events", "", {"create", "patch"}),
    ("", "secrets", "some", {"get"}), (CORE, "kubefedconfigs", "kubefed", {"get", "create"}),
    (CORE, "kubefedclusters", "", READ), (CORE, "kubefedclusters/status", "", {"update"}),
    (CORE, "federatedtypeconfigs", "", READ | {"update"}), (CORE, "federatedtypeconfigs/status", "", {"update"}),
    (CORE, "propagatedversions", "", READ | {"create"}), (CORE, "propagatedversions/status", "", {"update"}),
    (CORE, "federatedservicestatuses", "", READ | {"create", "update"}), (SCHEDULING, "replicaschedulingpreferences", "", READ),
    (TYPES, "federatedconfigmaps", "", READ | CHANGE), (TYPES, "federatedconfigmaps/status", "", {"update"})]
LEADER_OF_KUBEFED_EVERYWHERE = [
    ("", "namespaces", "", READ), (CORE, "clusterpropagatedversions", "", READ | {"create"}),
    (CORE, "clusterpropagatedversions/status", "", {"update"})]


def granted(found, group, resource, name):
    """Verbs of found, a result of rights(), for one object, or for all when name is empty."""
    verbs = set()
    for (one_group, one_resource, names), given in found.items():
        if one_group == group and one_resource in (resource, "*"):
            # Rules with names say nothing about creations; those without names are for all of them.
            verbs |= given if not names else given - {"create"} if name in names.split(",") else set()
    return verbs


class Pods(unittest.TestCase):
    def test_pods_are_restricted(self):
        for scope in SCOPES:
            for certificates in CERTIFICATES:
                objects = scoped(scope, *certificates)
                for o in kinds(objects, "Deployment"):
                    with self.subTest(scope=scope, certificates=certificates, name=o["metadata"]["name"]):
                        self.assertEqual(list(restricted_problems(o["spec"]["template"]["spec"])), [])
                self.assertEqual({o["metadata"]["name"] for o in kinds(objects, "Deployment")}, set(DEPLOYMENTS))
                self.assertFalse([o for o in objects if o["kind"] in ("Pod", "Job", "CronJob", "DaemonSet", "StatefulSet")])

    def test_the_check_finds_what_is_wrong(self):
        spec = pod(render(), DEPLOYMENTS[0])["spec"]
        one = spec["containers"][0]
        for change, expected in (({"hostNetwork": True}, "hostNetwork"), ({"securityContext": {}}, "seccompProfile"),
                                 ({"securityContext": {}}, "runAsNonRoot"), ({"volumes": [{"name": "x", "hostPath": {}}]}, "volume"),
                                 ({"containers": [{**one, "securityContext": {}}]}, "capabilities"),
                                 ({"containers": [{**one, "securityContext": {}}]}, "allowPrivilegeEscalation"),
                                 ({"initContainers": [{"securityContext": {"privileged": True}}]}, "privileged"),
                                 ({"containers": [{**one, "ports": [{"hostPort": 1}]}]}, "hostPort")):
            with self.subTest(expected):
                self.assertIn(expected, " ".join(restricted_problems({**spec, **change})))

    def test_user_and_file_system(self):
        for name in DEPLOYMENTS:
            self.assertEqual(pod(render(), name)["spec"]["securityContext"]["runAsUser"], 1001)
            self.assertIs(container(render(), name)["securityContext"]["readOnlyRootFilesystem"], True)
        for account in kinds(render(), "ServiceAccount"):
            self.assertIs(account["automountServiceAccountToken"], False)

    def test_only_pods_that_ask_the_api_server_get_a_token(self):
        for certificates, webhook in zip(CERTIFICATES, (True, False, False)):
            objects = scoped("Cluster", *certificates)
            self.assertEqual([pod(objects, name)["spec"]["automountServiceAccountToken"] for name in DEPLOYMENTS], [True, webhook])


class Rights(unittest.TestCase):
    def test_the_controller_has_exactly_the_rights_that_it_uses(self):
        whole = rights(scoped("Cluster"), "kubefed-controller")
        self.assertEqual(whole, {**IN_SYSTEM_NAMESPACE, **EVERYWHERE, **CLUSTER_ONLY})
        self.assertEqual(rights(scoped("Namespaced"), "kubefed-controller"), {**IN_SYSTEM_NAMESPACE, **EVERYWHERE})

    def test_a_leader_of_kubefed_goes_on_with_them_during_an_upgrade(self):
        for scope, needed in (("Cluster", LEADER_OF_KUBEFED + LEADER_OF_KUBEFED_EVERYWHERE), ("Namespaced", LEADER_OF_KUBEFED)):
            found = rights(scoped(scope), "kubefed-controller")
            for group, resource, name, verbs in needed:
                with self.subTest(scope=scope, resource=resource):
                    self.assertEqual(verbs - granted(found, group, resource, name), set())

    def test_nothing_of_the_system_namespace_is_granted_everywhere(self):
        wide = rights(scoped("Cluster"), "kubefed-controller", "ClusterRoleBinding")
        self.assertEqual(wide, {**EVERYWHERE, **CLUSTER_ONLY})
        self.assertEqual(rights(scoped("Namespaced"), "kubefed-controller", "ClusterRoleBinding"), {})

    def test_the_locks_of_all_kinds_can_be_held_and_that_of_today_can_be_made(self):
        """Pods that run keep their lock when the setting changes: the rights on it must stay."""
        for setting, group, resource in (("leaderElectResourceLock=configmaps", "", "configmaps"),
                                         ("leaderElectResourceLock=endpoints", "", "endpoints"),
                                         ("controller.leaderElectionLock=leases", LEASES, "leases")):
            found = rights(scoped("Cluster", f"controllermanager.{setting}"), "kubefed-controller")
            self.assertEqual(found, {**IN_SYSTEM_NAMESPACE, **EVERYWHERE, **CLUSTER_ONLY, (group, resource, ""): {"create"}})

    def test_the_webhook_has_rights_on_three_objects(self):
        for scope, suffix in zip(SCOPES, ("", "-" + NAMESPACE)):
            change, objects = {"get", "patch"}, scoped(scope)
            group = "admissionregistration.k8s.io"
            self.assertEqual(rights(objects, "kubefed-admission-webhook"), {
                ("", "secrets", "kubefed-admission-webhook-certificate"): change,
                (group, "validatingwebhookconfigurations", "validations.core.kubefed.io" + suffix): change,
                (group, "mutatingwebhookconfigurations", "mutation.core.kubefed.io" + suffix): change})
            self.assertEqual({key[0] for key in rights(objects, "kubefed-admission-webhook", "ClusterRoleBinding")}, {group})
            for certificates in CERTIFICATES[1:]:
                self.assertEqual(rights(scoped(scope, *certificates), "kubefed-admission-webhook"), {})

    def test_no_wildcards_but_in_resources_of_our_own_groups(self):
        for scope in SCOPES:
            for role in kinds(scoped(scope), "Role") + kinds(scoped(scope), "ClusterRole"):
                for rule in role["rules"]:
                    self.assertNotIn("*", rule["verbs"])
                    self.assertNotIn("*", rule["apiGroups"])
                    self.assertFalse({"bind", "escalate", "impersonate"} & set(rule["verbs"]))
                    if "*" in rule["resources"]:
                        self.assertLessEqual(set(rule["apiGroups"]), {CORE, TYPES, SCHEDULING})

    def test_user_roles(self):
        objects = scoped("Cluster")
        for role, verbs in (("view", READ), ("edit", READ | {"create", "update", "patch", "delete"}),
                            ("admin", READ | {"create", "update", "patch", "delete", "deletecollection"})):
            found = find(objects, "ClusterRole", "kubefed-" + role)
            self.assertEqual(found["metadata"]["labels"][f"rbac.authorization.k8s.io/aggregate-to-{role}"], "true")
            self.assertEqual([(set(r["apiGroups"]), set(r["verbs"])) for r in found["rules"]], [({CORE, TYPES, SCHEDULING}, verbs)])
        self.assertFalse([o for o in scoped("Namespaced") if o["metadata"]["name"] in ("kubefed-admin", "kubefed-edit", "kubefed-view")])

    def test_no_leftovers_of_the_aggregated_api(self):
        for scope in SCOPES:
            text = str(scoped(scope))
            for word in ("anonymous", "auth-delegator", "extension-apiserver", "admission-requester", "multiclusterdns"):
                self.assertNotIn(word, text)
