"""Renders a Helm chart, as far as the project's own chart needs it: values, sub-charts, what templates see, order.

Like gotemplate.py it refuses what it does not know: a chart that it renders is rendered by Helm to the same objects.
Not there: hooks, lookup, tpl, charts from archives, post-rendering.
"""
import copy
import json
import os
import re

from gotemplate import Number, Safe, TemplateError, Templates
from helmfunctions import FUNCTIONS, need_text, semver_compare, version_of
from helmschema import Schema
from helmyaml import ChartError, dump_yaml, load_yaml, show

# The order of Helm 3. What is not named comes last, by kind. Helm 4 has the webhook configurations before that.
INSTALL_ORDER = [
    "PriorityClass", "Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget",
    "ServiceAccount", "Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim",
    "CustomResourceDefinition", "ClusterRole", "ClusterRoleList", "ClusterRoleBinding", "ClusterRoleBindingList", "Role",
    "RoleList", "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod", "ReplicationController", "ReplicaSet",
    "Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "IngressClass", "Ingress", "APIService"]
DEFAULT_KUBE_VERSION = "1.29.0"
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"


# ---- what templates see

class Release(Safe):
    FIELDS = ("Name", "Namespace", "Service", "IsInstall", "IsUpgrade", "Revision")

    def __init__(self, name, namespace, upgrade):
        self.Name, self.Namespace, self.Service = name, namespace, "Helm"
        self.IsInstall, self.IsUpgrade, self.Revision = not upgrade, upgrade, 2 if upgrade else 1


class ChartFields(Safe):
    FIELDS = ("Name", "Version", "AppVersion", "Description", "Type")

    def __init__(self, metadata):
        for field in self.FIELDS:
            setattr(self, field, metadata.get(field[0].lower() + field[1:]))


class KubeVersion(Safe):
    FIELDS = ("Version", "GitVersion", "Major", "Minor")

    def __init__(self, version):
        (major, minor, patch), _ = version_of(version)
        self.Version = self.GitVersion = f"v{major}.{minor}.{patch}"
        self.Major, self.Minor = str(major), str(minor)


class ApiVersions(Safe):
    METHODS = ("Has",)

    def __init__(self, versions):
        self.versions = set(versions)

    def Has(self, version):
        return need_text(version) in self.versions


class Capabilities(Safe):
    FIELDS = ("KubeVersion", "APIVersions")

    def __init__(self, kube_version, api_versions):
        self.KubeVersion, self.APIVersions = KubeVersion(kube_version), ApiVersions(api_versions)


class Files(Safe):
    METHODS = ("Get",)

    def __init__(self, folder):
        self.folder = folder

    def Get(self, name):
        """Empty when there is no such file, as in Helm."""
        path = os.path.normpath(os.path.join(self.folder, need_text(name)))
        if not path.startswith(self.folder + os.sep) or not os.path.isfile(path):
            return ""
        return read(path)


class Root(Safe):
    FIELDS = ("Values", "Release", "Chart", "Capabilities", "Files", "Template")


class TemplateFields(Safe):
    FIELDS = ("Name", "BasePath")

    def __init__(self, name, base):
        self.Name, self.BasePath = name, base


# ---- charts and values

def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def numbered(value):
    """Numbers as Helm hands them to templates."""
    if isinstance(value, dict):
        return {key: numbered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbered(item) for item in value]
    return Number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def load_values(path):
    values = load_yaml(read(path), path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ChartError(f"{path}: values are a map")
    return numbered(values)


class Chart:
    def __init__(self, folder, path=None):
        self.folder = os.path.abspath(folder)
        self.metadata = load_yaml(read(os.path.join(folder, "Chart.yaml")), f"{folder}/Chart.yaml")
        self.name = self.metadata["name"]
        self.path = path or self.name               # in names of templates
        if self.metadata.get("apiVersion") != "v2":
            raise ChartError(f"{self.path}: only charts of apiVersion v2 are supported")
        values = os.path.join(folder, "values.yaml")
        self.defaults = load_values(values) if os.path.exists(values) else {}
        schema = os.path.join(folder, "values.schema.json")
        self.schema = json.loads(read(schema)) if os.path.exists(schema) else None
        self.parts = [(Chart(os.path.join(folder, "charts", d["name"]), f"{self.path}/charts/{d['name']}"), d)
                      for d in self.metadata.get("dependencies", [])]
        for part, dependency in self.parts:
            if part.metadata["version"] != dependency["version"]:
                raise ChartError(f"{self.path}: {part.name} is of version {part.metadata['version']}, "
                                 f"not {dependency['version']}")

    def files(self, folder):
        """(name, path) of what is in a folder of the chart, sorted."""
        top = os.path.join(self.folder, folder)
        found = [os.path.join(where, name) for where, _, names in os.walk(top) for name in names]
        return sorted((f"{self.path}/{os.path.relpath(path, self.folder)}", path) for path in found)


def merged(base, changes):
    """Values of a later file over those of an earlier one."""
    out = dict(base)
    for key, value in changes.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


def coalesced(defaults, given, where=""):
    """A chart's defaults under what was given. A given null removes a default."""
    out = {key: value for key, value in given.items() if not (value is None and key in defaults)}
    for key, value in defaults.items():
        if key not in given:
            out[key] = copy.deepcopy(value)
        elif isinstance(value, dict) and given[key] is not None:
            if not isinstance(given[key], dict):
                raise ChartError(f"{where}{key} is a map, but {show(given[key])} is given")
            out[key] = coalesced(value, given[key], f"{where}{key}.")
    return out


def values_for(chart, given, where=""):
    """The chart's values, those of its parts below their names."""
    values = coalesced(chart.defaults, given, where)
    for part, _ in chart.parts:
        own = values.get(part.name) or {}
        if not isinstance(own, dict):
            raise ChartError(f"{where}{part.name} is a map, but {show(own)} is given")
        own["global"] = merged(own.get("global") or {}, values.get("global") or {})
        values[part.name] = values_for(part, own, f"{where}{part.name}.")
    return values


def parse_set(expression, as_text=False):
    """--set: a.b=1,c={x,y}. Positions in lists are not supported."""
    out = {}
    for item in re.findall(r"((?:\\.|\{[^}]*\}|[^,\\])+)", expression):
        path, sign, value = item.partition("=")
        keys = [re.sub(r"\\(.)", r"\1", key) for key in re.findall(r"(?:\\.|[^.\\])+", path)]
        if not sign or not keys or "[" in path:
            raise ChartError(f"--set {item}: want key=value")
        if value.startswith("{") and value.endswith("}"):
            typed = [set_value(part, as_text) for part in value[1:-1].split(",")] if value != "{}" else []
        else:
            typed = set_value(value, as_text)
        for key in reversed(keys):
            typed = {key: typed}
        out = merged(out, typed)
    return out


def set_value(value, as_text):
    value = re.sub(r"\\(.)", r"\1", value)
    if as_text:
        return value
    if value in ("true", "false"):
        return value == "true"
    if value == "null":
        return None
    return Number(value) if re.fullmatch(r"-?(0|[1-9]\d*)", value) else value


def check_values(chart, values):
    """{chart name: problems} of the chart and its parts."""
    found = {}
    if chart.schema is not None:
        problems = Schema(chart.schema).problems(values)
        if problems:
            found[chart.name] = problems
    for part, _ in chart.parts:
        found.update(check_values(part, values[part.name]))
    return found


# ---- rendering

class Document:
    """One rendered object: where it comes from, its text, and what the text says."""

    def __init__(self, source, body):
        self.source, self.text = source, body.strip("\n") + "\n"
        self.object = load_yaml(body, source)
        if not isinstance(self.object, dict) or not self.object.get("apiVersion") or not self.object.get("kind"):
            raise ChartError(f"{source}: a document without apiVersion and kind:\n{body}")
        self.kind = self.object["kind"]
        self.name = (self.object.get("metadata") or {}).get("name")
        if not self.name:
            raise ChartError(f"{source}: a {self.kind} without name")
        if any(key.startswith("helm.sh/hook") for key in self.object["metadata"].get("annotations") or {}):
            raise ChartError(f"{source}: hooks are not supported")

    def place(self):
        known = self.kind in INSTALL_ORDER
        return (INSTALL_ORDER.index(self.kind) if known else len(INSTALL_ORDER), self.kind, self.name)


def documents(source, body):
    """Of a rendered file or a file in crds/."""
    parts = re.split(r"(?:^|\n)---[ \t]*(?:\n|$)", "\n" + body)
    return [Document(source, part) for part in parts if re.sub(r"(?m)^\s*#.*$", "", part).strip()]


def check_names(name, namespace):
    """Those of a release, as Helm wants them, and of its namespace, as Kubernetes does."""
    if len(name) > 53 or not re.fullmatch(rf"{LABEL}(\.{LABEL})*", name):
        raise ChartError(f"{name!r} is no name of a release: want at most 53 lower-case letters, digits, - and .; next: --name")
    if len(namespace) > 63 or not re.fullmatch(LABEL, namespace):
        raise ChartError(f"{namespace!r} is no namespace: want at most 63 lower-case letters, digits and -; next: --namespace")


class Rendering:
    def __init__(self, folder, given=None, name="kubefed", namespace="default", kube_version=DEFAULT_KUBE_VERSION,
                 api_versions=(), upgrade=False):
        check_names(name, namespace)
        self.chart = Chart(folder)
        self.values = values_for(self.chart, given or {})
        self.release = Release(name, namespace, upgrade)
        self.capabilities = Capabilities(kube_version, api_versions)
        self.check()
        self.enabled = list(self.enabled_parts(self.chart, self.values))
        self.templates = Templates(FUNCTIONS)
        for chart, _ in self.enabled:
            for template, path in chart.files("templates"):
                self.templates.parse(template, read(path))

    def check(self):
        constraint = self.chart.metadata.get("kubeVersion")
        if constraint and not semver_compare(constraint.replace(" ", ""), self.capabilities.KubeVersion.Version):
            raise ChartError(f"the chart wants Kubernetes {constraint}, not {self.capabilities.KubeVersion.Version}")
        found = check_values(self.chart, self.values)
        if found:
            lines = ["values don't meet the specifications of the schema(s) in the following chart(s):"]
            for name, problems in found.items():
                lines += [f"{name}:"] + [f"- {problem}" for problem in problems]
            raise ChartError("\n".join(lines))

    def enabled_parts(self, chart, values):
        yield chart, values
        for part, dependency in chart.parts:
            switch = values
            for key in dependency.get("condition", "").split(".") if dependency.get("condition") else ():
                switch = switch.get(key) if isinstance(switch, dict) else None
            if dependency.get("condition") and switch is False:
                continue
            yield from self.enabled_parts(part, values[part.name])

    def root(self, chart, values, template):
        root = Root()
        root.Values, root.Release, root.Capabilities = values, self.release, self.capabilities
        root.Chart, root.Files = ChartFields(chart.metadata), Files(chart.folder)
        root.Template = TemplateFields(template, f"{chart.path}/templates")
        return root

    def objects(self):
        """Documents in Helm's order."""
        out = []
        for chart, values in self.enabled:
            for template, _ in chart.files("templates"):
                if os.path.basename(template).startswith("_") or template.endswith("NOTES.txt"):
                    continue
                out += documents(template, self.templates.render(template, self.root(chart, values, template)))
        seen = set()
        for document in out:
            key = (document.kind, document.object["metadata"].get("namespace"), document.name)
            if key in seen:
                raise ChartError(f"{document.source}: {document.kind} {document.name} is there twice")
            seen.add(key)
        return sorted(out, key=Document.place)

    def crds(self):
        return [document for chart, _ in self.enabled for name, path in chart.files("crds")
                for document in documents(name, read(path))]

    def notes(self):
        name = f"{self.chart.path}/templates/NOTES.txt"
        if name not in self.templates.named:
            return ""
        return self.templates.render(name, self.root(self.chart, self.values, name))


__all__ = ["ChartError", "TemplateError", "Rendering", "Schema", "Document", "documents", "load_values", "load_yaml", "dump_yaml",
           "merged", "numbered", "parse_set", "FUNCTIONS"]
