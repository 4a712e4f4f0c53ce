"""What tools/chart makes is up to date, and fit for kubectl."""
import os
import subprocess
import sys
import unittest

import helmchart as h
from charts import CHART, NAMESPACE, TOP, find


def manifest(name):
    with open(os.path.join(TOP, "deploy", "manifests", name), encoding="utf-8") as f:
        return h.documents(name, f.read())


class Manifests(unittest.TestCase):
    def test_everything_is_up_to_date(self):
        result = subprocess.run([sys.executable, os.path.join(TOP, "tools", "chart"), "--check"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_the_core_definitions_are_those_of_deploy_crds(self):
        for name in os.listdir(os.path.join(TOP, "deploy", "crds")):
            with open(os.path.join(TOP, "deploy", "crds", name), encoding="utf-8") as f, \
                    open(os.path.join(CHART, "charts", "controllermanager", "crds", name), encoding="utf-8") as g:
                self.assertEqual(f.read(), g.read(), name)

    def test_definitions(self):
        found = manifest("crds.yaml")
        self.assertEqual({d.kind for d in found}, {"CustomResourceDefinition"})
        self.assertEqual(len({d.name for d in found}), 17)

    def test_the_namespace_comes_first_and_is_restricted(self):
        for name in ("kubefed.yaml", "kubefed-namespaced.yaml"):
            first = manifest(name)[0].object
            self.assertEqual((first["kind"], first["metadata"]["name"]), ("Namespace", NAMESPACE))
            self.assertEqual(first["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted")
            self.assertEqual(first["metadata"]["labels"]["name"], NAMESPACE)

    def test_scopes(self):
        for name, scope in (("kubefed.yaml", "Cluster"), ("kubefed-namespaced.yaml", "Namespaced")):
            objects = [d.object for d in manifest(name)]
            self.assertEqual(find(objects, "KubeFedConfig", "kubefed")["spec"]["scope"], scope)
            self.assertNotIn("Helm", str(objects))

    def test_objects_that_the_webhook_judges_come_before_its_registration(self):
        kinds = [d.kind for d in manifest("kubefed.yaml")]
        self.assertLess(max(kinds.index(k) for k in ("KubeFedConfig", "FederatedTypeConfig")), kinds.index("ValidatingWebhookConfiguration"))
