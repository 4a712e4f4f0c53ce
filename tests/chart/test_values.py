"""Values, sub-charts, schemas, order: what is Helm's and not the template language's."""
import os
import subprocess
import sys
import unittest

import helmchart as h
from charts import CHART, TOP, small_chart

PARENT = "apiVersion: v2\nname: small\nversion: 1.2.3\nappVersion: v9\ndependencies:\n- name: part\n  version: 0.1.0\n" \
         "  condition: part.enabled\n"
PART = "apiVersion: v2\nname: part\nversion: 0.1.0\n"
SHOW = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\ndata:\n  out: {{{{ {} | toYaml | quote }}}}\n"


def outputs(files, given=None, **options):
    """{name: data.out} of the ConfigMaps of a small chart."""
    with small_chart(dict(files)) as folder:
        objects = h.Rendering(folder, h.numbered(given or {}), **options).objects()
    return {d.name: d.object["data"]["out"] for d in objects}


def problems(schema, values):
    return h.Schema(schema).problems(h.numbered(values))


class Values(unittest.TestCase):
    def refused(self, text, function, *arguments, **options):
        with self.assertRaises((h.ChartError, h.TemplateError)) as caught:
            function(*arguments, **options)
        self.assertIn(text, str(caught.exception))

    def test_given_values_are_laid_over_the_defaults(self):
        files = {"values.yaml": "a: {b: 1, c: [x], d: {e: f}}\nk: 2\n", "templates/x.yaml": SHOW.format("x", ".Values")}
        for given, expected in (({}, "a:\n  b: 1\n  c:\n  - x\n  d:\n    e: f\nk: 2"),
                                ({"a": {"c": ["z"], "d": {"g": "h"}}}, "a:\n  b: 1\n  c:\n  - z\n  d:\n    e: f\n    g: h\nk: 2"),
                                ({"a": None}, "k: 2"), ({"a": {"b": None, "c": None, "d": None}}, "a: {}\nk: 2")):
            with self.subTest(given):
                self.assertEqual(outputs(files, given)["x"], expected)
        self.refused("a is a map, but 1 is given", outputs, files, {"a": 1})

    def test_a_part_sees_its_own_values_and_the_global_ones(self):
        files = {"Chart.yaml": PARENT, "charts/part/Chart.yaml": PART, "values.yaml": "global: {g: 1}\npart: {a: 1, b: 1}\nz: 1\n",
                 "charts/part/values.yaml": "a: 0\nc: 0\n", "charts/part/templates/p.yaml": SHOW.format("p", ".Values"),
                 "templates/x.yaml": SHOW.format("x", ".Values.part.c")}
        self.assertEqual(outputs(files, {"part": {"b": 2}}), {"p": "a: 1\nb: 2\nc: 0\nglobal:\n  g: 1", "x": "0"})
        self.assertEqual(outputs(files, {"global": {"g": 2}})["p"], "a: 1\nb: 1\nc: 0\nglobal:\n  g: 2")

    def test_a_condition_switches_a_part_off(self):
        files = {"Chart.yaml": PARENT, "charts/part/Chart.yaml": PART, "charts/part/templates/p.yaml": SHOW.format("p", "1"),
                 "templates/x.yaml": SHOW.format("x", "1")}
        self.assertEqual(sorted(outputs(files)), ["p", "x"])
        self.assertEqual(sorted(outputs(files, {"part": {"enabled": True}})), ["p", "x"])
        self.assertEqual(sorted(outputs(files, {"part": {"enabled": False}})), ["x"])

    def test_what_templates_see(self):
        see = {".Release.Name": "r", ".Release.Namespace": "ns", ".Release.Service": "Helm", ".Release.IsInstall": "true",
               ".Release.IsUpgrade": "false", ".Chart.Name": "small", ".Chart.Version": '"1.2.3"', ".Chart.AppVersion": "v9",
               ".Capabilities.KubeVersion.Version": "v1.22.5", ".Capabilities.KubeVersion.Minor": '"22"',
               '.Capabilities.APIVersions.Has "a/v1"': "true", '.Capabilities.APIVersions.Has "b/v1"': "false",
               '.Files.Get "files/f"': "inside", '.Files.Get "files/none"': '""', '.Files.Get "../../etc/passwd"': '""',
               ".Template.Name": "small/templates/x.yaml"}
        for expression, expected in see.items():
            with self.subTest(expression):
                files = {"files/f": "inside", "templates/x.yaml": SHOW.format("x", f"({expression})")}
                self.assertEqual(outputs(files, name="r", namespace="ns", kube_version="1.22.5", api_versions=["a/v1"])["x"],
                                 expected)

    def test_names_that_helm_or_kubernetes_refuses(self):
        files = {"templates/x.yaml": SHOW.format("x", "1")}
        for good in ({"name": "a.b-1"}, {"name": "x" * 53}, {"namespace": "2024"}, {"namespace": "n" * 63}):
            self.assertEqual(outputs(files, **good), {"x": "1"})
        for name in ("My_Rel", "x" * 54, "-a", "a..b", "", "a\n"):
            self.refused("is no name of a release", outputs, files, name=name)
        for namespace in ("Foo", "a.b", "n" * 64, "a-", "", "a\n"):
            self.refused("is no namespace", outputs, files, namespace=namespace)

    def test_set(self):
        for text, expected in (("a=1", {"a": 1}), ("a.b=x,a.c=true", {"a": {"b": "x", "c": True}}), ("a=null", {"a": None}),
                               ("a={x,2}", {"a": ["x", 2]}), ("a={}", {"a": []}), (r"a\.b=c\,d", {"a.b": "c,d"}),
                               ("a=007", {"a": "007"}), ("a=", {"a": ""}), ("a=b=c", {"a": "b=c"})):
            with self.subTest(text):
                self.assertEqual(h.parse_set(text), expected)
        self.assertEqual(h.parse_set("a=1,b=true", as_text=True), {"a": "1", "b": "true"})
        for text in ("a", "=b", "a[0]=b"):
            with self.subTest(text):
                self.refused("want key=value", h.parse_set, text)

    def test_yaml_that_is_read_in_two_ways_is_refused(self):
        for text in ("a: yes", "a: On", "a: n", "a: 0644", "a: 1_000", "a: 1:20", "a: .inf"):
            with self.subTest(text):
                self.refused("needs quotes", h.load_yaml, text, "x")
        self.refused("twice", h.load_yaml, "a: 1\na: 2\n", "x")
        self.refused("x:", h.load_yaml, "a: [", "x")
        self.refused("no text", h.load_yaml, "true: 1", "x")
        self.assertEqual(h.load_yaml("a: 'yes'\nb: 2020-01-01\nc: ~\nd: 1e3\n", "x"),
                         {"a": "yes", "b": "2020-01-01", "c": None, "d": 1000.0})
        self.assertEqual(h.load_yaml("a: &x {b: 1}\nc: {<<: *x, d: 2}\n", "x")["c"], {"b": 1, "d": 2})

    def test_schemas(self):
        for schema, good, bad, text in (
                ({"type": "object", "additionalProperties": False, "properties": {"a": {}}}, {"a": 1}, {"b": 1}, "property b"),
                ({"properties": {"a": {"type": "integer", "minimum": 1, "maximum": 3}}}, {"a": 3}, {"a": 4}, "a: Must be less"),
                ({"properties": {"a": {"minimum": 1}}}, {"a": 1}, {"a": 0}, "a: Must be greater than or equal to 1, not 0"),
                ({"properties": {"a": {"type": "integer"}}}, {"a": 1}, {"a": 1.5}, "a: Invalid type. Expected: integer"),
                ({"properties": {"a": {"type": "integer"}}}, {"a": 1}, {"a": True}, "a: Invalid type"),
                ({"properties": {"a": {"type": ["string", "null"]}}}, {"a": None}, {"a": 1}, "Expected: string/null, given: 1"),
                ({"properties": {"a": {"properties": {"b": {"enum": ["x", None]}}}}}, {"a": {"b": None}}, {"a": {"b": "y"}},
                 'a.b: must be one of "x", null, not "y"'),
                ({"properties": {"a": {"pattern": "^x+$"}}}, {"a": "xx"}, {"a": "y"}, "a: Does not match pattern '^x+$'"),
                ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": ["x"]}, {"a": ["x", 1]}, "a.1: Invalid type"),
                ({"properties": {"a": {"minItems": 1}}}, {"a": [1]}, {"a": []}, "a: Array must have"),
                ({"properties": {"a": {"propertyNames": {"pattern": "^x"}}}}, {"a": {"x": 1}}, {"a": {"y": 1}}, "a.y: Does not match"),
                ({"required": ["a"]}, {"a": 1}, {}, "a is required"),
                ({"additionalProperties": {"type": "string"}}, {"x": "y"}, {"x": 1}, "x: Invalid type"),
                ({"properties": {"a": {"not": {"pattern": "^0$"}}}}, {"a": "1"}, {"a": "0"}, "a: Must not validate"),
                ({"properties": {"a": {"anyOf": [{"type": "null"}, {"type": "string"}]}}}, {"a": None}, {"a": 1}, "a: Must valid"),
                ({"properties": {"a": {"maxLength": 2}}}, {"a": "xx"}, {"a": "xxx"}, "a: String length"),
                ({"definitions": {"d": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/d"}}}, {"a": ""}, {"a": 1},
                 "a: Invalid type")):
            with self.subTest(text):
                self.assertEqual(problems(schema, good), [])
                self.assertIn(text, " ".join(problems(schema, bad)))
        self.refused("uniqueItems: not supported", problems, {"uniqueItems": True}, {})
        self.refused("no look-around", problems, {"properties": {"a": {"pattern": "(?=x)"}}}, {"a": "x"})
        self.refused("type 'text' is not known", problems, {"type": "text"}, {})

    def test_schemas_of_a_chart_and_its_parts_are_checked(self):
        schema = {"properties": {"n": {"type": "integer"}}}
        files = {"Chart.yaml": PARENT, "charts/part/Chart.yaml": PART, "values.schema.json": schema,
                 "charts/part/values.schema.json": schema}
        self.refused("small:\n- n: Invalid type", outputs, files, {"n": "x"})
        self.refused("part:\n- n: Invalid type", outputs, files, {"part": {"n": "x"}})

    def test_objects_come_in_the_order_of_helm(self):
        kinds = ["ZKind", "AKind", "Deployment", "Service", "Role", "ServiceAccount", "Namespace"]
        text = "".join(f"---\n# a comment\napiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n" for kind in kinds for name in "ba")
        with small_chart({"templates/x.yaml": text + "---\n# only a comment\n---\n"}) as folder:
            found = [f"{d.kind}-{d.name}" for d in h.Rendering(folder).objects()]
        self.assertEqual(found, [f"{kind}-{name}" for kind in ("Namespace", "ServiceAccount", "Role", "Service", "Deployment",
                                                               "AKind", "ZKind") for name in "ab"])

    def test_objects_that_are_none_are_refused(self):
        for text, expected in (("kind: A\n", "without apiVersion"), ("apiVersion: v1\nkind: A\n", "without name"), ("- 1\n", "without"),
                               ("a: b: c\n", "small/templates/x.yaml"),
                               ("apiVersion: v1\nkind: A\nmetadata: {name: a, annotations: {helm.sh/hook: test}}\n", "hooks"),
                               (2 * "---\napiVersion: v1\nkind: A\nmetadata: {name: a}\n", "there twice")):
            with self.subTest(expected), small_chart({"templates/x.yaml": text}) as folder:
                self.refused(expected, lambda: h.Rendering(folder).objects())

    def test_charts_that_are_none_are_refused(self):
        self.refused("apiVersion v2", outputs, {"Chart.yaml": "apiVersion: v1\nname: x\nversion: 1.0.0\n"})
        self.refused("wants Kubernetes >=1.99.0-0", outputs,
                     {"Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\nkubeVersion: '>=1.99.0-0'\n"})
        self.refused("part is of version 0.2.0", outputs,
                     {"Chart.yaml": PARENT, "charts/part/Chart.yaml": "apiVersion: v2\nname: part\nversion: 0.2.0\n"})

    def test_the_command_line(self):
        def run(*arguments):
            return subprocess.run([sys.executable, os.path.join(TOP, "tools", "render-chart"), *arguments, CHART],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        result = run("--namespace", "here", "--name", "mine", "--set", "controllermanager.controller.replicaCount=5")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        objects = {(d.kind, d.name): d.object for d in h.documents("out", result.stdout)}
        self.assertEqual(objects["Deployment", "kubefed-controller-manager"]["spec"]["replicas"], 5)
        self.assertEqual(objects["KubeFedConfig", "kubefed"]["metadata"]["namespace"], "here")
        self.assertNotIn("CustomResourceDefinition", {kind for kind, _ in objects})
        self.assertEqual(run("--include-crds").stdout.count("kind: CustomResourceDefinition\n"), 17)
        self.assertIn("is installed in namespace default", run("--notes").stdout)
        bad = run("--set", "controllermanager.controller.replicaCount=-1")
        self.assertEqual((bad.returncode, bad.stdout), (1, ""))
        self.assertIn("controllermanager:\n- controller.replicaCount: Must be greater", bad.stderr)
        self.assertEqual(run("--values", "/nowhere").returncode, 1)
