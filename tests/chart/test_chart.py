"""The chart: each value has its effect, the names are KubeFed's, bad values are refused by name."""
import itertools
import os
import re
import unittest

import helmchart as h
from charts import (CHART, DEPLOYMENTS, NAMESPACE, SCOPES, TOP, config, container, find, kinds, path_value, pod, render, rendering,
                    scoped)

CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}
PATHS = {"/validate-federatedtypeconfigs", "/validate-kubefedcluster", "/validate-kubefedconfig", "/default-kubefedconfig"}
CONTROLLER, WEBHOOK = DEPLOYMENTS

# Value below controllermanager, default in the KubeFedConfig, another value, where it is.
CONFIG_VALUES = [
    ("clusterAvailableDelay", "20s", "21s", "controllerDuration/availableDelay"),
    ("clusterUnavailableDelay", "60s", "1m30s", "controllerDuration/unavailableDelay"),
    ("cacheSyncTimeout", "5m", "500ms", "controllerDuration/cacheSyncTimeout"),
    ("leaderElectLeaseDuration", "15s", "16s", "leaderElect/leaseDuration"),
    ("leaderElectRenewDeadline", "10s", "11s", "leaderElect/renewDeadline"),
    ("leaderElectRetryPeriod", "5s", "6s", "leaderElect/retryPeriod"),
    ("leaderElectResourceLock", "configmaps", "endpoints", "leaderElect/resourceLock"),
    ("clusterHealthCheckPeriod", "10s", "0.5s", "clusterHealthCheck/period"),
    ("clusterHealthCheckFailureThreshold", 3, 4, "clusterHealthCheck/failureThreshold"),
    ("clusterHealthCheckSuccessThreshold", 1, 2, "clusterHealthCheck/successThreshold"),
    ("clusterHealthCheckTimeout", "3s", "4s", "clusterHealthCheck/timeout"),
    ("syncController.maxConcurrentReconciles", 1, 7, "syncController/maxConcurrentReconciles"),
    ("syncController.adoptResources", "Enabled", "Disabled", "syncController/adoptResources"),
    ("statusController.maxConcurrentReconciles", 1, 8, "statusController/maxConcurrentReconciles"),
    ("featureGates.PushReconciler", "Enabled", "Disabled", "featureGates/0/configuration"),
    ("featureGates.RawResourceStatusCollection", "Disabled", "Enabled", "featureGates/1/configuration"),
    ("featureGates.SchedulerPreferences", "Enabled", "Disabled", "featureGates/2/configuration"),
]

# All keys of KubeFed v0.9.2's chart, as somebody may have set them.
OLD_VALUES = """
controllermanager:
  enabled: true
  clusterAvailableDelay: 20s
  clusterUnavailableDelay: 60s
  cacheSyncTimeout: 5m
  leaderElectLeaseDuration: 15s
  leaderElectRenewDeadline: 10s
  leaderElectRetryPeriod: 5s
  leaderElectResourceLock: configmaps
  clusterHealthCheckPeriod: 10s
  clusterHealthCheckFailureThreshold: 3
  clusterHealthCheckSuccessThreshold: 1
  clusterHealthCheckTimeout: 3s
  syncController: {maxConcurrentReconciles: 2, adoptResources: Enabled}
  statusController: {maxConcurrentReconciles: 2}
  featureGates: {PushReconciler: Enabled, SchedulerPreferences: Enabled, RawResourceStatusCollection: Enabled}
  commonNodeSelector: {disk: ssd}
  commonTolerations: [{key: dedicated, operator: Exists}]
  imagePullSecrets: [{name: pull}]
  controller:
    annotations: {a: b}
    podAnnotations: {c: d}
    replicaCount: 3
    repository: quay.io/kubernetes-multicluster
    image: kubefed
    tag: canary
    imagePullPolicy: Always
    logLevel: 4
    forceRedeployment: true
    env: {HTTPS_PROXY: "http://proxy:3128", NUMBER: 5}
    resources: {limits: {cpu: 500m, memory: 512Mi}, requests: {cpu: 100m, memory: 64Mi}}
  webhook:
    annotations: {a: b}
    repository: quay.io/kubernetes-multicluster
    image: kubefed
    tag: canary
    imagePullPolicy: Always
    logLevel: 8
    forceRedeployment: true
    env: {}
    resources: {limits: {cpu: 100m, memory: 256Mi}, requests: {cpu: 100m, memory: 64Mi}}
  certManager:
    enabled: true
    rootCertificate: {organizations: [me], dnsNames: [ca.webhook.kubefed], commonName: ca.webhook.kubefed}
  postInstallJob: {repository: bitnami, image: kubectl, tag: 1.17.16, imagePullPolicy: IfNotPresent}
  service: {labels: {team: infra}}
global:
  scope: Cluster
"""

# A setting, and how the refusal names it.
BAD = [
    ("global.scope=cluster", "global.scope"), ("controllermanager.enabled=maybe", "enabled"),
    ("controllermanager.clusterAvailableDelay=20", "clusterAvailableDelay"),
    ("controllermanager.clusterAvailableDelay=20 s", "clusterAvailableDelay"),
    ("controllermanager.clusterUnavailableDelay=0s", "clusterUnavailableDelay"),
    ("controllermanager.cacheSyncTimeout=-5m", "cacheSyncTimeout"), ("controllermanager.cacheSyncTimeout=0.0m0s", "cacheSyncTimeout"),
    ("controllermanager.leaderElectResourceLock=leases", "leaderElectResourceLock"),
    ("controllermanager.clusterHealthCheckFailureThreshold=0", "clusterHealthCheckFailureThreshold"),
    ("controllermanager.clusterHealthCheckSuccessThreshold=many", "clusterHealthCheckSuccessThreshold"),
    ("controllermanager.syncController.maxConcurrentReconciles=0", "syncController.maxConcurrentReconciles"),
    ("controllermanager.syncController.adoptResources=true", "syncController.adoptResources"),
    ("controllermanager.statusController.maxConcurrentReconciles=-1", "statusController.maxConcurrentReconciles"),
    ("controllermanager.featureGates.PushReconciler=true", "featureGates.PushReconciler"),
    ("controllermanager.featureGates.CrossClusterServiceDiscovery=Enabled", "CrossClusterServiceDiscovery"),
    ("controllermanager.controller.replicaCount=-1", "controller.replicaCount"),
    ("controllermanager.webhook.replicaCount=0", "webhook.replicaCount"),
    ("controllermanager.controller.replicas=3", "replicas"), ("controllermanager.controller.imagePullPolicy=Sometimes", "imagePullPolicy"),
    ("controllermanager.controller.logLevel=x", "controller.logLevel"), ("controllermanager.controller.tag=a b", "controller.tag"),
    ("controllermanager.controller.image=Kube Fed", "controller.image"), ("controllermanager.controller.env.A={x}", "controller.env.A"),
    ("controllermanager.controller.extraArgs={v}", "controller.extraArgs.0"),
    # Other rights and another mark of the pods come with it: there are values for that.
    ("controllermanager.controller.extraArgs={--leader-elect-resource-lock=leases}", "controller.extraArgs.0"),
    ("controllermanager.controller.extraArgs={-v,--leader_elect-resource_lock}", "controller.extraArgs.1"),
    ("controllermanager.controller.leaderElectionLock=endpoints", "controller.leaderElectionLock"),
    ("controllermanager.controller.resources.cpu=1", "cpu"), ("controllermanager.webhook.failurePolicy=Never", "webhook.failurePolicy"),
    ("controllermanager.webhook.validateStatus=no", "webhook.validateStatus"), ("controllermanager.webhook.caBundle=!", "webhook.caBundle"),
    ("controllermanager.webhook.namespaceLabel=a b", "webhook.namespaceLabel"), ("controllermanager.imagePullSecrets={pull}", "imagePullSecrets"),
    ("controllermanager.certManager.rootCertificate.dnsNames={}", "certManager.rootCertificate.dnsNames"),
    ("controllermanager.service.labels.a=1", "service.labels.a"), ("controllermanager.networkPolicy.enabled=1", "networkPolicy.enabled"),
    ("controllermanager.monitoring.serviceMonitor.interval=often", "monitoring.serviceMonitor.interval"),
    ("controllermanager.monitoring.serviceMonitor.interval=1.5m", "monitoring.serviceMonitor.interval"),
    ("controllermanager.monitoring.serviceMonitor.interval=1m1h", "monitoring.serviceMonitor.interval"),
    ("controllermanager.webhook.existingCertSecret=mine", "webhook.caBundle"),
    ("controllermanager.webhook.existingCertSecret=mine,controllermanager.certManager.enabled=true", "webhook.existingCertSecret"),
    ("controllerManager.enabled=false", "controllerManager"),
]


LOCKS = ([], ["leaderElectResourceLock=endpoints"], ["controller.leaderElectionLock=leases", "leaderElectResourceLock=endpoints"])


def render_nulls(component):
    """Values of a component that may be null and have another default; maps and lists among them."""
    found = rendering().chart.defaults["controllermanager"][component]
    return [value for value in found if value != "resources"]   # without resources: none, which is asked for


def webhooks(objects):
    return [w for o in objects if o["kind"].endswith("WebhookConfiguration") for w in o["webhooks"]]


def names(objects):
    return {(o["kind"], o["metadata"]["name"]) for o in objects}


class Objects(unittest.TestCase):
    def test_each_object_has_name_and_namespace_or_is_cluster_wide(self):
        settings = ("", "controllermanager.certManager.enabled=true", "controllermanager.networkPolicy.enabled=true")
        for scope, more in itertools.product(SCOPES, settings):
            for o in scoped(scope, *([more] if more else [])):
                with self.subTest(scope=scope, kind=o["kind"], name=o["metadata"].get("name")):
                    self.assertRegex(o["metadata"]["name"], r"^[a-z0-9][a-z0-9.:-]*$")
                    self.assertEqual(o["metadata"].get("namespace"), None if o["kind"] in CLUSTER_WIDE else NAMESPACE)
                    for key, value in o["metadata"]["labels"].items():
                        self.assertIsInstance(value, str, key)
                        self.assertRegex(value, r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")

    def test_a_namespace_that_looks_like_a_number_stays_a_text(self):
        for scope in SCOPES:
            for more in ("", "controllermanager.certManager.enabled=true"):
                for o in scoped(scope, *([more] if more else []), namespace="2024"):
                    self.assertEqual(o["metadata"].get("namespace"), None if o["kind"] in CLUSTER_WIDE else "2024")
                    self.assertNotIn("2024,", str(o).replace("'2024',", ""))

    def test_the_names_of_kubefed_are_kept(self):
        both = {("Deployment", CONTROLLER), ("Deployment", WEBHOOK), ("ServiceAccount", "kubefed-controller"),
                ("ServiceAccount", WEBHOOK), ("Service", WEBHOOK), ("Service", "kubefed-controller-manager-metrics-service"),
                ("Role", "kubefed-config-role"), ("RoleBinding", "kubefed-config-rolebinding"), ("KubeFedConfig", "kubefed"),
                ("Role", "kubefed-admission-webhook-role"), ("RoleBinding", "kubefed-admission-webhook-rolebinding")}
        self.assertLessEqual(both | {("ClusterRole", "kubefed-role"), ("ClusterRoleBinding", "kubefed-rolebinding"),
                                     ("ClusterRole", "kubefed-admin"), ("ClusterRole", "kubefed-edit"), ("ClusterRole", "kubefed-view"),
                                     ("ValidatingWebhookConfiguration", "validations.core.kubefed.io"),
                                     ("MutatingWebhookConfiguration", "mutation.core.kubefed.io")}, names(scoped("Cluster")))
        self.assertLessEqual(both | {("Role", "kubefed-role"), ("RoleBinding", "kubefed-rolebinding"),
                                     ("ValidatingWebhookConfiguration", "validations.core.kubefed.io-" + NAMESPACE),
                                     ("MutatingWebhookConfiguration", "mutation.core.kubefed.io-" + NAMESPACE)},
                             names(scoped("Namespaced")))

    def test_what_outlives_the_namespace_is_found_by_its_labels(self):
        with open(os.path.join(CHART, "README.md"), encoding="utf-8") as f:
            told, selector = re.search(r"kubectl delete (\S+) \\\n +-l (\S+)", f.read()).groups()
        wanted = dict(pair.split("=") for pair in selector.split(","))
        for scope, certificates in itertools.product(SCOPES, ("false", "true")):
            objects = [o for o in scoped(scope, f"controllermanager.certManager.enabled={certificates}") if o["kind"] in CLUSTER_WIDE]
            self.assertLessEqual({o["kind"].lower() + "s" for o in objects}, set(told.split(",")))
            self.assertEqual([o["metadata"]["name"] for o in objects if not wanted.items() <= o["metadata"]["labels"].items()], [])

    def test_selectors_and_account_names_are_those_that_cannot_be_changed_by_an_upgrade(self):
        objects = render()
        for name, labels, account in ((CONTROLLER, {"kubefed-control-plane": "controller-manager"}, "kubefed-controller"),
                                      (WEBHOOK, {"kubefed-admission-webhook": "true"}, WEBHOOK)):
            deployment = find(objects, "Deployment", name)
            self.assertEqual(deployment["spec"]["selector"], {"matchLabels": labels})
            self.assertLessEqual(labels.items(), pod(objects, name)["metadata"]["labels"].items())
            self.assertEqual(pod(objects, name)["spec"]["serviceAccountName"], account)
        self.assertEqual(find(objects, "Service", WEBHOOK)["spec"]["selector"], {"kubefed-admission-webhook": "true"})
        for binding in kinds(objects, "RoleBinding") + kinds(objects, "ClusterRoleBinding"):
            role = binding["roleRef"]
            self.assertIn((role["kind"], role["name"]), names(objects))
            self.assertEqual([s["namespace"] for s in binding["subjects"]], [NAMESPACE])
            self.assertEqual([s["kind"] for s in binding["subjects"]], ["ServiceAccount"])

    def test_the_controller(self):
        spec = pod(render(), CONTROLLER)["spec"]
        one = spec["containers"][0]
        self.assertEqual(one["name"], "controller-manager")
        self.assertEqual(one["command"], ["/hyperfed/controller-manager", "--v=2"])
        self.assertIn({"name": "metrics", "containerPort": 9090, "protocol": "TCP"}, one["ports"])
        self.assertEqual(one["livenessProbe"], {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
                                                "initialDelaySeconds": 5, "periodSeconds": 3, "timeoutSeconds": 3})
        self.assertEqual(one["readinessProbe"]["httpGet"], {"path": "/readyz", "port": 8080, "scheme": "HTTP"})
        self.assertEqual(spec["terminationGracePeriodSeconds"], 10)
        service = find(render(), "Service", "kubefed-controller-manager-metrics-service")
        self.assertEqual(service["spec"]["ports"], [{"name": "metrics", "port": 9090, "targetPort": "metrics", "protocol": "TCP"}])

    def test_the_webhook(self):
        one = container(render(), WEBHOOK)
        self.assertEqual(one["name"], "admission-webhook")
        self.assertEqual(one["command"], ["/hyperfed/webhook", "--secure-port=8443", "--cert-secret=kubefed-admission-webhook-certificate",
                                          "--service-name=kubefed-admission-webhook", "--v=8"])
        namespaced = container(scoped("Namespaced"), WEBHOOK)["command"]
        self.assertIn("--validating-webhook-configuration=validations.core.kubefed.io-" + NAMESPACE, namespaced)
        self.assertIn("--mutating-webhook-configuration=mutation.core.kubefed.io-" + NAMESPACE, namespaced)
        self.assertEqual(one["readinessProbe"]["httpGet"], {"path": "/readyz", "port": 8443, "scheme": "HTTPS"})
        self.assertEqual(find(render(), "Service", WEBHOOK)["spec"]["ports"],
                         [{"name": "https", "port": 443, "targetPort": 8443, "protocol": "TCP"},
                          {"name": "metrics", "port": 8080, "targetPort": "metrics", "protocol": "TCP"}])

    def test_each_metrics_port_is_found_by_annotations_and_by_the_port_of_the_pod(self):
        objects = render()
        for name, service, port in ((CONTROLLER, "kubefed-controller-manager-metrics-service", 9090), (WEBHOOK, WEBHOOK, 8080)):
            service = find(objects, "Service", service)
            self.assertEqual(service["metadata"]["annotations"], {"prometheus.io/scrape": "true", "prometheus.io/scheme": "http",
                                                                  "prometheus.io/port": str(port)})
            self.assertIn({"name": "metrics", "port": port, "targetPort": "metrics", "protocol": "TCP"}, service["spec"]["ports"])
            self.assertIn({"name": "metrics", "containerPort": port, "protocol": "TCP"}, container(objects, name)["ports"])

    def test_the_types_of_the_chart(self):
        targets = {"clusterroles.rbac.authorization.k8s.io", "configmaps", "deployments.apps", "ingresses.networking.k8s.io",
                   "jobs.batch", "namespaces", "replicasets.apps", "secrets", "serviceaccounts", "services"}
        objects = kinds(render(), "FederatedTypeConfig")
        self.assertEqual({o["metadata"]["name"] for o in objects}, targets)
        crds = {d.object["metadata"]["name"]: d.object["spec"] for d in rendering().crds()}
        for o in objects:
            target, federated = o["spec"]["targetType"], o["spec"]["federatedType"]
            with self.subTest(o["metadata"]["name"]):
                self.assertEqual(o["metadata"]["name"], ".".join(filter(None, [target["pluralName"], target.get("group")])))
                crd = crds[f"{federated['pluralName']}.types.kubefed.io"]
                self.assertEqual((crd["names"]["kind"], crd["names"]["plural"], crd["scope"], crd["group"], crd["versions"][0]["name"]),
                                 (federated["kind"], federated["pluralName"], federated["scope"], federated["group"],
                                  federated["version"]))
                self.assertEqual(federated["scope"], "Namespaced" if target["kind"] == "Namespace" else target["scope"])
                properties = crd["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
                self.assertEqual("retainReplicas" in properties, target["kind"] in ("Deployment", "ReplicaSet"))
        namespaced = {o["metadata"]["name"] for o in kinds(scoped("Namespaced"), "FederatedTypeConfig")}
        self.assertEqual(targets - namespaced, {"clusterroles.rbac.authorization.k8s.io"})

    def test_definitions_are_complete_and_what_enable_would_make(self):
        found = {d.name: d.object for d in rendering().crds()}
        self.assertEqual(len(found), 17)
        for name in ("deployments.apps", "namespaces"):
            with open(os.path.join(TOP, "tests", "e2e", "golden", f"enable-{name}.yaml"), encoding="utf-8") as f:
                wanted = h.documents("golden", f.read())
            self.assertEqual(found[wanted[1].name], wanted[1].object)
            ftc = find(render(), "FederatedTypeConfig", name)
            self.assertEqual(ftc["spec"], wanted[0].object["spec"])
        self.assertEqual({d.name for d in rendering(sets=["controllermanager.enabled=false"]).crds()},
                         {name for name in found if name.endswith(".types.kubefed.io")})


class Webhooks(unittest.TestCase):
    def test_paths_are_those_that_the_webhook_serves(self):
        for scope in SCOPES:
            found = webhooks(scoped(scope))
            self.assertEqual({w["clientConfig"]["service"]["path"] for w in found}, PATHS)
            for w in found:
                with self.subTest(scope=scope, name=w["name"]):
                    self.assertEqual((w["admissionReviewVersions"], w["sideEffects"], w["failurePolicy"]), (["v1"], "None", "Fail"))
                    self.assertEqual({k: v for k, v in w["clientConfig"]["service"].items() if k != "path"},
                                     {"name": WEBHOOK, "namespace": NAMESPACE, "port": 443})
                    self.assertRegex(w["name"], r"^[a-z]+(\.[a-z]+){3,}$")
        for o in kinds(render(), "ValidatingWebhookConfiguration"):
            own = [w["name"] for w in o["webhooks"]]
            self.assertEqual(len(own), len(set(own)))
            self.assertLessEqual({"federatedtypeconfigs.core.kubefed.io", "kubefedclusters.core.kubefed.io",
                                  "kubefedconfigs.core.kubefed.io"}, set(own))

    def judged(self, objects, from_chart=False):
        """{(validating?, operation, resource)} of what is sent to the webhook."""
        out = set()
        for o in objects:
            for w in o.get("webhooks", []) if o["kind"].endswith("WebhookConfiguration") else ():
                if from_chart and "objectSelector" in w:
                    self.assertEqual(w["objectSelector"], {"matchExpressions": [{"key": "kubefed.io/from-chart",
                                                                                 "operator": "DoesNotExist"}]})
                    continue
                for rule in w["rules"]:
                    self.assertEqual((rule["apiGroups"], rule["apiVersions"]), (["core.kubefed.io"], ["v1beta1"]))
                    for operation, resource in itertools.product(rule["operations"], rule["resources"]):
                        key = (o["kind"][:-20], operation, resource)
                        self.assertNotIn(key, out, "judged twice")
                        out.add(key)
        return out

    def test_creations_and_changes_are_judged_once(self):
        whole = {("Validating", op, r) for op in ("CREATE", "UPDATE") for r in ("federatedtypeconfigs", "kubefedclusters", "kubefedconfigs")}
        self.assertEqual(self.judged(render()), whole | {("Mutating", "CREATE", "kubefedconfigs")})

    def test_what_the_chart_creates_is_not_judged_then_but_its_changes_are(self):
        found = self.judged(render(), from_chart=True)
        own = {"KubeFedConfig": "kubefedconfigs", "FederatedTypeConfig": "federatedtypeconfigs"}
        for o in render():
            if o["apiVersion"].startswith("core.kubefed.io/"):
                self.assertEqual(o["metadata"]["labels"]["kubefed.io/from-chart"], "true")
                self.assertNotIn(("Validating", "CREATE", own[o["kind"]]), found)
                self.assertIn(("Validating", "UPDATE", own[o["kind"]]), found)

    def test_status_is_looked_at_only_if_wished(self):
        resources = {r for w in webhooks(render()) for rule in w["rules"] for r in rule["resources"]}
        self.assertFalse([r for r in resources if "/" in r])
        resources = {(op, r) for w in webhooks(scoped("Cluster", "controllermanager.webhook.validateStatus=true"))
                     for rule in w["rules"] for r in rule["resources"] for op in rule["operations"] if "/" in r}
        self.assertLessEqual({("UPDATE", "federatedtypeconfigs/status"), ("UPDATE", "kubefedclusters/status")}, resources)

    def test_the_namespace_is_selected_in_namespace_scope(self):
        for w in webhooks(scoped("Namespaced")):
            self.assertEqual(w["namespaceSelector"], {"matchLabels": {"name": NAMESPACE}})
        for w in webhooks(scoped("Namespaced", r"controllermanager.webhook.namespaceLabel=kubernetes\.io/metadata\.name")):
            self.assertEqual(w["namespaceSelector"], {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}})
        self.assertFalse([w for w in webhooks(render()) if "namespaceSelector" in w])

    def test_failure_policy(self):
        self.assertEqual({w["failurePolicy"] for w in webhooks(scoped("Cluster", "controllermanager.webhook.failurePolicy=Ignore"))},
                         {"Ignore"})

    def test_the_certificate_of_its_own(self):
        objects = render()
        secret = find(objects, "Secret", "kubefed-admission-webhook-certificate")
        self.assertEqual((secret["type"], "data" in secret, "stringData" in secret), ("Opaque", False, False))
        self.assertFalse([w for w in webhooks(objects) if "caBundle" in w["clientConfig"]])
        self.assertNotIn("volumes", pod(objects, WEBHOOK)["spec"])

    def test_a_certificate_by_cert_manager(self):
        objects = scoped("Cluster", "controllermanager.certManager.enabled=true", name="rel")
        self.assertEqual(names(kinds(objects, "Issuer") + kinds(objects, "Certificate")),
                         {("Issuer", "rel-ca-issuer"), ("Issuer", "rel-issuer"), ("Certificate", "rel-root-certificate"),
                          ("Certificate", "rel-certificate")})
        root = find(objects, "Certificate", "rel-root-certificate")["spec"]
        self.assertEqual(root, {"secretName": "rel-root-ca", "duration": "8760h", "isCA": True, "commonName": "ca.webhook.kubefed",
                                "issuerRef": {"name": "rel-ca-issuer", "kind": "Issuer"}, "dnsNames": ["ca.webhook.kubefed"]})
        leaf = find(objects, "Certificate", "rel-certificate")["spec"]
        self.assertEqual((leaf["secretName"], leaf["issuerRef"]["name"]), ("kubefed-admission-webhook-serving-cert", "rel-issuer"))
        self.assertEqual(leaf["dnsNames"], [WEBHOOK, f"{WEBHOOK}.{NAMESPACE}", f"{WEBHOOK}.{NAMESPACE}.svc"])
        for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
            self.assertEqual(kinds(objects, kind)[0]["metadata"]["annotations"],
                             {"cert-manager.io/inject-ca-from": f"{NAMESPACE}/rel-root-certificate"})
        self.check_mounted(objects, "kubefed-admission-webhook-serving-cert")
        self.assertEqual(find(render(h.load_yaml(OLD_VALUES, "old")), "Certificate", "kubefed-root-certificate")["spec"]["subject"],
                         {"organizations": ["me"]})

    def test_a_certificate_that_exists(self):
        objects = scoped("Cluster", "controllermanager.webhook.existingCertSecret=mine", "controllermanager.webhook.caBundle=Q0E=")
        self.assertEqual({w["clientConfig"]["caBundle"] for w in webhooks(objects)}, {"Q0E="})
        self.check_mounted(objects, "mine")

    def check_mounted(self, objects, secret):
        self.assertIn("--cert-dir=/var/serving-cert/", container(objects, WEBHOOK)["command"])
        self.assertFalse([a for a in container(objects, WEBHOOK)["command"] if a.startswith("--cert-secret")])
        self.assertEqual(pod(objects, WEBHOOK)["spec"]["volumes"],
                         [{"name": "serving-cert", "secret": {"secretName": secret, "defaultMode": 420}}])
        self.assertEqual(container(objects, WEBHOOK)["volumeMounts"],
                         [{"name": "serving-cert", "mountPath": "/var/serving-cert", "readOnly": True}])
        self.assertFalse(kinds(objects, "Secret"))
        self.assertNotIn(("Role", "kubefed-admission-webhook-role"), names(objects))


class EachValue(unittest.TestCase):
    def test_settings_of_the_control_plane(self):
        complete = config(render())
        for value, default, other, where in CONFIG_VALUES:
            with self.subTest(value):
                self.assertEqual(path_value(complete, where), default)
                changed = config(scoped("Cluster", f"controllermanager.{value}={other}"))
                self.assertEqual(path_value(changed, where), other)
                self.assertEqual(config(scoped("Cluster", f"controllermanager.{value}=null")), complete)
        self.assertEqual([g["name"] for g in complete["featureGates"]],
                         ["PushReconciler", "RawResourceStatusCollection", "SchedulerPreferences"])

    def test_scope(self):
        for given, scope in (("", "Cluster"), ("Cluster", "Cluster"), ("Namespaced", "Namespaced"), ("null", "Cluster")):
            self.assertEqual(config(render(None, [f"global.scope={given}"]))["scope"], scope)

    def test_enabled(self):
        self.assertEqual({o["kind"] for o in render(None, ["controllermanager.enabled=false"])}, {"FederatedTypeConfig"})

    def test_all_pods(self):
        objects = render({"controllermanager": {"commonNodeSelector": {"a": "b"}, "commonTolerations": [{"key": "k", "operator": "Exists"}],
                                                "imagePullSecrets": [{"name": "s"}]}})
        for name in DEPLOYMENTS:
            spec = pod(objects, name)["spec"]
            self.assertEqual(spec["nodeSelector"], {"a": "b"})
            self.assertEqual(spec["tolerations"], [{"key": "k", "operator": "Exists"}])
            self.assertEqual(spec["imagePullSecrets"], [{"name": "s"}])
            self.assertEqual(spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]
                             ["podAffinityTerm"]["labelSelector"], find(objects, "Deployment", name)["spec"]["selector"])
            self.assertFalse({"nodeSelector", "tolerations", "imagePullSecrets"} & set(pod(render(), name)["spec"]))

    def each_component(self):
        return (("controller", CONTROLLER), ("webhook", WEBHOOK))

    def changed(self, component, **values):
        return render({"controllermanager": {component: values}})

    def test_images(self):
        version = rendering().chart.metadata["appVersion"]
        for component, name in self.each_component():
            for values, image in (({}, f"kubefed:{version}"), ({"tag": "v1"}, "kubefed:v1"), ({"image": "x"}, f"x:{version}"),
                                  ({"repository": "r.io/p"}, f"r.io/p/kubefed:{version}"), ({"repository": "r:5000/"}, f"r:5000/kubefed:{version}"),
                                  ({"repository": None, "tag": None}, f"kubefed:{version}")):
                with self.subTest(component, values=values):
                    self.assertEqual(container(self.changed(component, **values), name)["image"], image)
            self.assertEqual(container(self.changed(component, imagePullPolicy="Always"), name)["imagePullPolicy"], "Always")

    def test_annotations(self):
        for component, name in self.each_component():
            objects = self.changed(component, annotations={"a": "true"}, podAnnotations={"c": "1"})
            self.assertEqual(find(objects, "Deployment", name)["metadata"]["annotations"], {"a": "true"})
            own = {"kubefed.io/leader-election-lock": "configmaps"} if name == CONTROLLER else {}
            self.assertEqual(pod(objects, name)["metadata"]["annotations"], {"c": "1", **own})
            self.assertEqual(pod(render(), name)["metadata"].get("annotations", {}), own)
            self.assertNotIn("annotations", find(render(), "Deployment", name)["metadata"])

    def test_force_redeployment(self):
        for component, name in self.each_component():
            marks = {pod(self.changed(component, forceRedeployment=True, podAnnotations={"c": "d"}), name)["metadata"]["annotations"]["rollme"]
                     for _ in range(3)}
            self.assertGreater(len(marks), 1)
            self.assertFalse([m for m in marks if not re.fullmatch("[A-Za-z0-9]{5}", m)])

    def test_log_level_arguments_and_environment(self):
        for component, name in self.each_component():
            one = container(self.changed(component, logLevel=5, extraArgs=["--a=b c", "--d"], env={"B": 5, "A": "x", "C": True}), name)
            self.assertIn("--v=5", one["command"])
            self.assertEqual(one["command"][-2:], ["--a=b c", "--d"])
            own = [{"name": "DEFAULT_KUBEFED_SCOPE", "value": "Cluster"}] if name == CONTROLLER else []
            self.assertEqual(one["env"], own + [{"name": "A", "value": "x"}, {"name": "B", "value": "5"}, {"name": "C", "value": "true"}])
            self.assertEqual(container(render(), name).get("env", []), own)

    def test_numbers_in_the_environment_are_printed_in_full(self):
        for component, name in self.each_component():
            one = container(self.changed(component, env={"BIG": 10000000, "BELOW": -2000000}), name)
            self.assertLessEqual({"BIG": "10000000", "BELOW": "-2000000"}.items(), {e["name"]: e["value"] for e in one["env"]}.items())
            for wrong in ({"A": 1.5}, {"A": 1e16}):
                with self.assertRaisesRegex(h.ChartError, rf"{component}\.env\.A"):
                    self.changed(component, env=wrong)

    def test_a_configuration_that_is_made_anew_has_the_scope_of_the_installation(self):
        for scope in SCOPES:
            for given, expected in ((None, scope), ({"A": "b"}, scope), ({"DEFAULT_KUBEFED_SCOPE": "Cluster"}, "Cluster")):
                objects = render({"global": {"scope": scope}, "controllermanager": {"controller": {"env": given}}})
                env = [e["value"] for e in container(objects, CONTROLLER)["env"] if e["name"] == "DEFAULT_KUBEFED_SCOPE"]
                self.assertEqual(env, [expected])

    def test_null_takes_the_default_and_zero_stays_zero(self):
        for component, name in self.each_component():
            for value in render_nulls(component):
                with self.subTest(component, value=value):
                    self.assertEqual(self.changed(component, **{value: None}), render())
        self.assertEqual(find(self.changed("controller", replicaCount=0), "Deployment", CONTROLLER)["spec"]["replicas"], 0)
        self.assertIn("--v=0", container(self.changed("webhook", logLevel=0), WEBHOOK)["command"])

    def test_a_map_that_is_null_takes_its_defaults_or_is_refused_by_name(self):
        for value in ("featureGates", "syncController", "statusController", "service", "networkPolicy", "monitoring", "certManager",
                      "certManager.rootCertificate", "monitoring.serviceMonitor", "monitoring.prometheusRule", "commonNodeSelector",
                      "commonTolerations", "imagePullSecrets", "postInstallJob"):
            with self.subTest(value):
                self.assertEqual(render(None, [f"controllermanager.{value}=null"]), render())
        for value in ("controller", "webhook"):
            with self.assertRaisesRegex(h.ChartError, f"{value} is required"):
                render(None, [f"controllermanager.{value}=null"])
        issued = [["controllermanager.certManager.enabled=true", f"controllermanager.certManager.rootCertificate{key}=null"]
                  for key in ("", ".dnsNames", ".commonName", ".organizations")]
        for sets in issued:
            self.assertEqual(render(None, sets), render(None, sets[:1]))

    def test_texts_that_look_like_something_else_stay_texts(self):
        objects = render({"controllermanager": {"webhook": {"existingCertSecret": "123", "caBundle": "1234", "namespaceLabel": "123"}},
                          "global": {"scope": "Namespaced"}})
        self.assertEqual(pod(objects, WEBHOOK)["spec"]["volumes"][0]["secret"]["secretName"], "123")
        for hook in webhooks(objects):
            self.assertEqual((hook["clientConfig"]["caBundle"], hook["namespaceSelector"]["matchLabels"]), ("1234", {"123": NAMESPACE}))
        for component, name in self.each_component():
            one = container(self.changed(component, env={"N": "x", "null": "y", "_.-1": "z"}), name)
            self.assertLessEqual({"N", "null", "_.-1"}, {e["name"] for e in one["env"]})
            for wrong in ("A: B", "123", "", "a b"):
                with self.assertRaisesRegex(h.ChartError, rf"{component}\.env\."):
                    self.changed(component, env={wrong: "x"})

    def test_labels_and_annotations_of_the_chart_are_there_once_and_win(self):
        both = {"helm.sh/chart": "x", "kubefed-control-plane": "x", "kubefed-admission-webhook": "x", "team": "y"}
        objects = render({"controllermanager": {
            "service": {"labels": both}, "controller": {"podAnnotations": {"rollme": "x"}, "forceRedeployment": True},
            "webhook": {"podAnnotations": {"rollme": "x"}, "forceRedeployment": True},
            "monitoring": {"serviceMonitor": {"enabled": True, "labels": both}, "prometheusRule": {"enabled": True, "labels": both}}}})
        labelled = kinds(objects, "Service") + kinds(objects, "ServiceMonitor") + kinds(objects, "PrometheusRule")
        self.assertEqual(len(labelled), 5)
        for o in labelled:
            labels = o["metadata"]["labels"]
            self.assertEqual((labels["team"], labels["helm.sh/chart"] != "x"), ("y", True))
        for o in kinds(objects, "ServiceMonitor"):
            wanted = o["spec"]["selector"]["matchLabels"].items()
            self.assertEqual(len([s for s in kinds(objects, "Service") if wanted <= s["metadata"]["labels"].items()]), 1)
        for name in DEPLOYMENTS:
            self.assertNotEqual(pod(objects, name)["metadata"]["annotations"]["rollme"], "x")

    def test_replicas_and_disruptions(self):
        for component, name in self.each_component():
            for count in (0, 1, 2, 5) if component == "controller" else (1, 2, 5):
                objects = self.changed(component, replicaCount=count)
                self.assertEqual(find(objects, "Deployment", name)["spec"]["replicas"], count)
                budgets = [o for o in kinds(objects, "PodDisruptionBudget") if o["metadata"]["name"] == name]
                self.assertEqual(len(budgets), int(count > 1))
                for budget in budgets:
                    self.assertEqual(budget["spec"], {"maxUnavailable": 1, "selector": find(objects, "Deployment", name)["spec"]["selector"]})
        for version, api in (("1.20.2", "policy/v1beta1"), ("1.21.0", "policy/v1"), ("1.33.1", "policy/v1")):
            self.assertEqual({o["apiVersion"] for o in kinds(render(kube_version=version), "PodDisruptionBudget")}, {api})

    def test_resources(self):
        for component, name in self.each_component():
            given = {"limits": {"cpu": 2, "memory": "1Gi"}, "requests": {"cpu": "1m", "memory": "2Mi"}}
            self.assertEqual(container(self.changed(component, resources=given), name)["resources"], given)
            self.assertNotIn("resources", container(self.changed(component, resources=None), name))

    def test_labels_of_services(self):
        objects = render({"controllermanager": {"service": {"labels": {"team": "x"}}}})
        self.assertEqual({o["metadata"]["labels"].get("team") for o in kinds(objects, "Service")}, {"x"})

    def test_leases(self):
        objects = scoped("Cluster", "controllermanager.controller.leaderElectionLock=leases")
        self.assertIn("--leader-elect-resource-lock=leases", container(objects, CONTROLLER)["command"])
        self.assertEqual(config(objects)["leaderElect"]["resourceLock"], "configmaps")

    def test_another_kind_of_lock_means_other_pods(self):
        marks = {pod(scoped("Cluster", *(f"controllermanager.{s}" for s in settings)), CONTROLLER)["metadata"]["annotations"]
                 ["kubefed.io/leader-election-lock"] for settings in LOCKS}
        self.assertEqual(marks, {"configmaps", "endpoints", "leases"})

    def test_network_policies(self):
        self.assertFalse(kinds(render(), "NetworkPolicy"))
        peers, callers = [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}], [{"ipBlock": {"cidr": "10.0.0.0/28"}}]
        for given, metrics, egress in (({}, None, [{}]), ({"metricsFrom": peers, "webhookFrom": callers, "egress": [{"to": peers}]}, peers, [{"to": peers}])):
            objects = render({"controllermanager": {"networkPolicy": {"enabled": True, **given}}})
            policy = find(objects, "NetworkPolicy", CONTROLLER)["spec"]
            self.assertEqual(policy["podSelector"], find(objects, "Deployment", CONTROLLER)["spec"]["selector"])
            self.assertEqual([r["ports"][0]["port"] for r in policy["ingress"]], [8080, 9090])
            self.assertEqual(policy["ingress"][1].get("from"), metrics)
            self.assertEqual(policy["egress"], egress)
            policy = find(objects, "NetworkPolicy", WEBHOOK)["spec"]
            self.assertEqual([r["ports"][0]["port"] for r in policy["ingress"]], [8443, 8080])
            self.assertEqual([r.get("from") for r in policy["ingress"]], [given.get("webhookFrom"), metrics])
            self.assertEqual(policy["policyTypes"], ["Ingress", "Egress"])

    def test_monitoring(self):
        self.assertFalse(kinds(render(), "ServiceMonitor"))
        objects = render({"controllermanager": {"monitoring": {"serviceMonitor": {"enabled": True, "interval": "1m", "labels": {"r": "p"}}}}})
        for interval in ("1d", "1h30m", "15s", "500ms"):
            self.assertTrue(render(None, [f"controllermanager.monitoring.serviceMonitor.interval={interval}"]))
        for name, selected in ((CONTROLLER, "kubefed-controller-manager-metrics-service"), (WEBHOOK, WEBHOOK)):
            monitor = find(objects, "ServiceMonitor", name)
            self.assertEqual(monitor["spec"]["endpoints"], [{"port": "metrics", "interval": "1m"}])
            self.assertEqual(monitor["metadata"]["labels"]["r"], "p")
            wanted = monitor["spec"]["selector"]["matchLabels"].items()
            # The name of the Service becomes the label job.
            self.assertEqual([s["metadata"]["name"] for s in kinds(objects, "Service") if wanted <= s["metadata"]["labels"].items()], [selected])
        self.assertFalse(kinds(render(), "PrometheusRule"))
        rule = find(render({"controllermanager": {"monitoring": {"prometheusRule": {"enabled": True, "labels": {"r": "p"}}}}}),
                    "PrometheusRule", "kubefed")
        self.assertEqual(rule["metadata"]["labels"]["r"], "p")
        self.assertIn("KubeFedNoLeader", [r["alert"] for g in rule["spec"]["groups"] for r in g["rules"]])

    def test_alerts_are_about_the_namespace_of_the_release(self):
        given = {"controllermanager": {"monitoring": {"prometheusRule": {"enabled": True}}}}
        rules = find(render(given, namespace="team-a"), "PrometheusRule", "kubefed")["spec"]["groups"][0]["rules"]
        by_name = {rule["alert"]: rule for rule in rules}
        for name, rule in by_name.items():  # tests/monitoring/check: no series without it
            self.assertIn('{namespace="team-a"', rule["expr"], name)
        self.assertEqual(by_name["KubeFedObjectsFailing"]["expr"], 'kubefed_objects{namespace="team-a",state="failing"} > 0')
        # What Prometheus fills in is not Helm's.
        self.assertEqual(by_name["KubeFedClusterOffline"]["annotations"]["summary"], "Cluster {{ $labels.cluster }} is offline")
        self.assertNotIn("NAMESPACE-OF", str(rules))

    def test_an_old_values_file_of_kubefed_renders(self):
        old = h.load_yaml(OLD_VALUES, "old")
        for scope in SCOPES:
            objects = render({**old, "global": {"scope": scope}})
            self.assertEqual(container(objects, CONTROLLER)["image"], "quay.io/kubernetes-multicluster/kubefed:canary")
            self.assertEqual(path_value(config(objects), "featureGates/1/configuration"), "Enabled")
            self.assertFalse(kinds(objects, "Job"))
        self.assertIn("WARNING: the values name an image of KubeFed", rendering(old).notes())

    def test_old_names_and_defaults_are_in_the_values_file(self):
        known = rendering().chart.defaults
        old = h.load_yaml(OLD_VALUES, "old")
        old["controllermanager"].pop("postInstallJob")

        def missing(wanted, have, where=""):
            for key, value in wanted.items():
                if key not in have:
                    yield where + key
                elif isinstance(value, dict) and have[key]:
                    yield from missing(value, have[key], f"{where}{key}.")
        self.assertEqual(list(missing(old, known)), [])
        manager = known["controllermanager"]
        self.assertEqual((manager["controller"]["replicaCount"], manager["controller"]["logLevel"], manager["webhook"]["logLevel"]), (2, 2, 8))

    def test_every_value_is_in_the_readme(self):
        with open(os.path.join(CHART, "README.md"), encoding="utf-8") as f:
            rows = set(re.findall(r"(?m)^\| `([\w.]+)` ", f.read()))

        def leaves(value, where=""):
            for key, item in value.items():
                if isinstance(item, dict) and item:
                    yield from leaves(item, f"{where}{key}.")
                else:
                    yield where + key
        self.assertEqual(rows, {re.sub(r"^controllermanager\.", "", leaf) for leaf in leaves(rendering().chart.defaults)
                                if "resources." not in leaf} | {"controller.resources", "webhook.resources"})

    def test_bad_values_are_refused_by_name(self):
        for setting, expected in BAD:
            with self.subTest(setting):
                with self.assertRaises((h.ChartError, h.TemplateError)) as caught:
                    render(None, [setting])
                self.assertIn(expected, str(caught.exception))

    def test_no_command_in_the_documents_installs_into_the_namespace_default(self):
        found = 0
        for name in ("README.md", "deploy/chart/kubefed/README.md", "docs/packaging.md", "docs/production.md", "deploy/manifests/README.md"):
            with open(os.path.join(TOP, name), encoding="utf-8") as f:
                text = f.read().replace("\\\n", " ")
            for command in re.findall(r"helm (?:install|upgrade|uninstall) [^`\n]*kubefed[^`\n]*", text):
                found += 1
                self.assertIn(f"-n {NAMESPACE}", command, name)
        self.assertGreater(found, 3)

    def test_notes(self):
        self.assertNotIn("kubectl label", rendering().notes())
        self.assertIn(f"kubectl label namespace {NAMESPACE} name={NAMESPACE}", rendering(sets=["global.scope=Namespaced"]).notes())
        self.assertNotIn("WARNING", rendering().notes())
        self.assertNotIn("leaderElect", rendering().notes())
        for value in ("LeaseDuration", "RenewDeadline", "RetryPeriod"):
            notes = " ".join(rendering(sets=[f"controllermanager.leaderElect{value}=20s"]).notes().split())
            self.assertIn(f"leaderElect{value} (20s)", notes)
            self.assertIn("with status 255", notes)
        for scope in SCOPES:
            self.assertFalse([line for line in rendering(sets=[f"global.scope={scope}"]).notes().splitlines() if line != line.rstrip()])
