"""Bad input in every field of every API type: no crash, no wedge, an event and a status that say what is wrong, nothing lost.

The tables say for each value what must become of it; hostile.py drives them.
"""
from hostile import BOTH, GOOD, LONG, MANY, VALUES, Asked, Drive, Fails, Propagated, Row, Unplaced, deep, put, rows
from harness import eventually, expect, test

COMPUTE, OVERRIDES = "ComputeResourceFailed", "ApplyOverridesFailed"
NOWHERE = Propagated(())
ONE = [{"name": "member1"}]


def by_type(allowed, good, bad):
    """good for null and values of the type, bad for all others."""
    def outcome(_word, value):
        return good if value is None or type(value) is allowed else bad
    return outcome


# ---- Federated<Kind>: template

def template_rows():
    yield from rows("template", ["template"], by_type(dict, Asked(), Fails(COMPUTE, "spec.template")))
    yield from rows("metadata", ["template", "metadata"], by_type(dict, Asked(), Fails(COMPUTE, "template.metadata")))
    # Overwritten (controllers.md 5.6).
    for key in ("name", "namespace"):
        yield from rows(key, ["template", "metadata", key], lambda *_: Propagated())
    yield from rows("kind", ["template", "kind"], lambda *_: Propagated())
    # Kept if there is one, and a member accepts only its own.
    yield from rows("apiversion", ["template", "apiVersion"],
                    lambda _, v: Asked("ersion", owned=True) if type(v) is str else Propagated())
    # Never set by a template, whatever they hold.
    for key, event in (("annotations", "AnnotationsNotSupported"), ("finalizers", "FinalizersNotSupported")):
        some = {"a": "b"} if key == "annotations" else ["a.b/c"]
        yield Row(f"{key}-some", put(GOOD, ["template", "metadata", key], some), Propagated(event=event), Propagated())
        yield from rows(key, ["template", "metadata", key], lambda *_: Propagated())


def template_label_rows():
    wrong = Fails(f"{OVERRIDES}|CreationFailed|UpdateFailed", "labels")
    yield from rows("labels", ["template", "metadata", "labels"], by_type(dict, Asked("label"), wrong))
    yield from rows("label", ["template", "metadata", "labels", "l"], lambda *_: Asked("l"))


def template_server_rows():
    """What Kubernetes itself judges: the words are those of the member's API server."""
    words = ("null", "negative", "int64", "empty", "text", "control", "numbers", "nulls", "object", "list")
    for key in ("ownerReferences", "generateName", "uid", "creationTimestamp", "deletionTimestamp", "generation", "managedFields",
                "selfLink"):
        yield from rows(key, ["template", "metadata", key], lambda *_: Asked(owned=True), words)
    for key in ("data", "spec", "status"):
        yield from rows(key, ["template", key], lambda *_: Asked(), words)
    for key in ("data", "spec"):
        yield from rows(f"{key}-value", ["template", key, "value"], lambda *_: Asked())
    yield from rows("replicas", ["template", "spec", "replicas"], lambda *_: Asked())


@test(smoke=True)
def a_template_of_wrong_types(t):
    Drive(t).run(template_rows())


@test()
def labels_of_a_template(t):
    Drive(t).run(template_label_rows())


@test()
def what_a_member_refuses(t):
    Drive(t).run(template_server_rows())


@test()
def a_template_that_gains_annotations_is_told(t):
    """controllers.md 5.6: an event says that they are not propagated, also when nothing else changed."""
    drive = Drive(t)
    drive.gadgets.create("thing")
    drive.gadgets.propagated("thing")
    drive.t.edit(drive.gadgets.fed, drive.plane.namespace, "thing",
                 lambda o: o["spec"]["template"].update(metadata={"annotations": {"a": "b"}}))
    drive.gadgets.propagated("thing")
    eventually(lambda: expect(bool(drive.plane.events("thing", reason="AnnotationsNotSupported")), True, "event"), 15)


@test()
def an_api_version_that_no_member_takes_is_told(t):
    """controllers.md 5.6 and 5.9: the template's version is sent, a member refuses it; nobody says "propagated"."""
    drive = Drive(t)
    drive.gadgets.create("thing")
    drive.gadgets.propagated("thing")
    drive.t.edit(drive.gadgets.fed, drive.plane.namespace, "thing", lambda o: o["spec"]["template"].update(apiVersion="v9"))
    eventually(lambda: expect(drive.gadgets.clusters("thing"), {m: "UpdateFailed" for m in BOTH}, "clusters"), 15)


# ---- Federated<Kind>: placement

def placement_rows():
    wrong = Unplaced("spec.placement")
    yield from rows("placement", ["placement"], by_type(dict, NOWHERE, wrong))
    # Absent is nowhere, an empty list is nowhere; a name that nobody has is dropped (controllers.md 5.5).
    yield from rows("clusters", ["placement", "clusters"],
                    lambda w, v: NOWHERE if v is None or w == "list" else Unplaced("spec.placement.clusters"))
    yield from rows("cluster", ["placement", "clusters", 2],
                    lambda w, v: Propagated() if w in ("object", "odd", "deep") else
                    None if v is None else Unplaced("spec.placement.clusters[2]"))
    yield from rows("name", ["placement", "clusters", 2, "name"],
                    lambda w, v: Propagated() if v is None or type(v) is str else Unplaced("spec.placement.clusters[2]"))
    names = [{"name": f"ghost-{n}"} for n in range(MANY)]
    for name, clusters, outcome in (
            ("twice", ONE + ONE, Propagated(("member1",))),
            ("case", ONE + [{"name": "MEMBER2"}], Propagated(("member1",))),
            ("spaces", ONE + [{"name": " member2"}, {"name": "member2 "}], Propagated(("member1",))),
            ("nul", ONE + [{"name": "member2\u0000"}, {"name": "\u0000member2"}], Propagated(("member1",))),
            ("wild", ONE + [{"name": "*"}, {"name": "member?"}, {"name": ""}], Propagated(("member1",))),
            ("ghosts", names + ONE, Propagated(("member1",))),
            ("same", ONE * MANY, Propagated(("member1",))),
            ("last", names + [5], Unplaced(f"spec.placement.clusters[{MANY}]")),
            ("more", [{"name": "member1", "name2": "member2", "weight": -1}], Propagated(("member1",)))):
        yield Row(f"names-{name}", put(GOOD, ["placement", "clusters"], clusters), outcome)


def selected(selector):
    return {**GOOD, "placement": {"clusterSelector": selector}}


def selector_rows():
    everywhere, wrong = Propagated(), Unplaced("clusterSelector")
    base = selected({})
    # Everything that is empty selects all clusters, null is absent (controllers.md 5.5).
    yield from rows("selector", ["placement", "clusterSelector"],
                    lambda w, v: NOWHERE if v is None else everywhere if type(v) is dict else wrong, base=base)
    yield from rows("matchlabels", ["placement", "clusterSelector", "matchLabels"],
                    lambda w, v: everywhere if v is None or w == "object" else wrong, base=base)
    yield from rows("matchlabel", ["placement", "clusterSelector", "matchLabels", "l"],
                    lambda w, v: NOWHERE if v is None or w in ("empty", "text") else wrong, base=base)
    yield from rows("expressions", ["placement", "clusterSelector", "matchExpressions"],
                    lambda w, v: everywhere if v is None or w == "list" else wrong, base=base)
    yield from rows("expression", ["placement", "clusterSelector", "matchExpressions", 0], lambda *_: wrong, base=base)
    expression = {"key": "l", "operator": "NotIn", "values": ["v"]}
    base = selected({"matchExpressions": [expression]})
    at = ["placement", "clusterSelector", "matchExpressions", 0]
    yield from rows("key", at + ["key"], lambda w, v: everywhere if w == "text" else Unplaced("matchExpressions[0].key"), base=base)
    yield from rows("operator", at + ["operator"], lambda *_: Unplaced("matchExpressions[0].operator"), base=base)
    yield from rows("values", at + ["values"],
                    lambda w, v: everywhere if w == "many" else Unplaced("matchExpressions[0].values"), base=base)
    yield from rows("value", at + ["values", 1],
                    lambda w, v: everywhere if w in ("empty", "text") else Unplaced("matchExpressions[0].values"), base=base)
    for name, selector, outcome in (
            ("exists-values", {"matchExpressions": [{"key": "l", "operator": "Exists", "values": ["v"]}]},
             Unplaced("matchExpressions[0].values")),
            ("operator-case", {"matchExpressions": [{**expression, "operator": "notin"}]}, Unplaced("matchExpressions[0].operator")),
            ("second", {"matchExpressions": [expression, {**expression, "key": "-"}]}, Unplaced("matchExpressions[1].key")),
            ("many", {"matchExpressions": [expression] * MANY}, everywhere),
            ("many-bad", {"matchExpressions": [{**expression, "key": "%s"}] * MANY}, Unplaced("matchExpressions[0].key")),
            ("many-labels", {"matchLabels": {f"l{n}": "v" for n in range(MANY)}}, NOWHERE),
            ("key-dots", {"matchLabels": {"../x/y": "v"}}, wrong), ("key-long", {"matchLabels": {"k" * 64: "v"}}, wrong),
            ("key-prefix", {"matchLabels": {"UPPER.example/k": "v"}}, wrong), ("key-empty", {"matchLabels": {"": "v"}}, wrong),
            ("value-long", {"matchLabels": {"k": "v" * 64}}, wrong), ("value-dash", {"matchLabels": {"k": "-v"}}, wrong)):
        yield Row(f"selected-{name}", selected(selector), outcome)


@test(smoke=True)
def a_placement_of_wrong_types(t):
    Drive(t).run(placement_rows())


@test()
def a_selector_of_wrong_types(t):
    Drive(t).run(selector_rows())


# ---- Federated<Kind>: overrides

def overridden(*operations):
    return {**GOOD, "overrides": [{"clusterName": m, "clusterOverrides": list(operations)} for m in BOTH]}


def override_rows():
    wrong, fine = Fails(OVERRIDES, "override"), Propagated()
    base = {**GOOD, "overrides": []}
    yield from rows("overrides", ["overrides"], lambda w, v: fine if v is None or w == "list" else wrong, base=base)
    # An entry without name is for the cluster "", which does not exist.
    yield from rows("override", ["overrides", 0], lambda w, v: fine if v is None or type(v) is dict else wrong, base=base)
    base = overridden({"path": "/data/lang", "value": "en"})
    yield from rows("clustername", ["overrides", 0, "clusterName"],
                    lambda w, v: fine if v is None or type(v) is str else Fails(OVERRIDES, "clusterName"), base=base)
    yield from rows("operations", ["overrides", 0, "clusterOverrides"],
                    lambda w, v: fine if v is None or w == "list" else wrong, base=base)
    yield from rows("operation", ["overrides", 1, "clusterOverrides", 1],
                    lambda w, v: Fails(OVERRIDES, "override") if v is not None and type(v) is not dict else
                    Fails(OVERRIDES, "override", ["member2"]), base=base)
    for name, overrides, text in (
            ("twice", [{"clusterName": "member1"}] * 2, 'cluster "member1" appears more than once'),
            ("twice-long", [{"clusterName": LONG}] * 2, "appears more than once"),
            ("twice-nameless", [{}, {}], "appears more than once"),
            ("twice-many", [{"clusterName": f"ghost-{n}"} for n in range(MANY)] + [{"clusterName": "ghost-7"}],
             'cluster "ghost-7" appears more than once')):
        yield Row(f"names-{name}", {**GOOD, "overrides": overrides}, Fails(OVERRIDES, text))
    yield Row("names-many", {**GOOD, "overrides": [{"clusterName": f"ghost-{n}"} for n in range(MANY)]}, fine)


def operation_rows():
    at = ["overrides", 0, "clusterOverrides", 0]
    base = overridden({"path": "/data/lang", "value": "de"})
    wrong = Fails(OVERRIDES, "override[0]", ["member1"])
    # A wrong type breaks the whole list and so every cluster; a bad operation only its own (controllers.md 5.7).
    broken = Fails(OVERRIDES, "of an override must be a string")
    yield from rows("op", at + ["op"], lambda w, v: Propagated() if v is None or w == "empty" else
                    Fails(OVERRIDES, "unsupported operation", ["member1"]) if type(v) is str else broken, base=base)
    for op in ("move", "copy", "ADD", "Replace", "merge"):
        yield Row(f"op-{op}".lower(), put(base, at + ["op"], op), Fails(OVERRIDES, "unsupported operation", ["member1"]))
    # "" and null address the whole document, which a scalar leaves alone; a path without "/" is an error.
    yield from rows("path", at + ["path"], lambda w, v: Propagated() if v is None or w == "empty" else
                    None if w == "path" else wrong if type(v) is str else broken, base=base)
    yield from rows("value", at + ["value"], lambda *_: Propagated(content=has_value), base=base)
    for name, path in PATHS.items():
        yield Row(f"path-{name}", put(base, at + ["path"], path), wrong)
    for name, (path, key) in KEYS.items():
        yield Row(f"key-{name}", overridden({"op": "add", "path": path, "value": "v"}), Propagated(content=has_key(key)))
    for path in ("/metadata/namespace", "/metadata/name", "/metadata/generateName", "/kind"):
        yield Row("forbidden" + path.replace("/", "-").lower(), put(base, at + ["path"], path),
                  Fails(OVERRIDES, f'override[0] for cluster "member1" has an invalid path: {path}'))
    for name, operation in IDENTITY.items():
        yield Row(f"identity-{name}", overridden(operation), Fails(OVERRIDES, "override"))


# Nothing is there, or nothing that has members.
PATHS = {
    "missing": "/no/such/place", "dots": "/data/../../etc/passwd", "deep": "/d" * 500, "scalar": "/data/lang/x",
    "index": "/data/list/2x", "outside": "/data/list/99", "huge": "/data/list/99999999999999999999", "minus": "/data/list/-99",
    "exponent": "/data/list/1e0", "hex": "/data/list/0x1", "format": "/%s/%n/%d", "long": "/" + LONG + "/x", "bare": "lang",
    "emoji": "/\U0001f680" * 100, "nul": "/data\u0000/lang", "slashes": "/" * 1000,
}
# One member of data, as it is written.
KEYS = {
    "tilde": ("/data/~2", "~2"), "escaped": ("/data/~01~1", "~1/"), "end": ("/data/a~", "a~"), "percent": ("/data/a%2fb", "a%2fb"),
    "format": ("/data/%s%n", "%s%n"), "dots": ("/data/..", ".."), "empty": ("/data/", ""), "control": ("/data/a\r\n\u0001", "a\r\n\u0001"),
    "emoji": ("/data/\U0001f680", "\U0001f680"), "long": ("/data/" + LONG, LONG), "nul": ("/data/a\u0000b", "a\u0000b"),
    "prefix": ("ignored/data/x", "x"),
}
IDENTITY = {
    "metadata": {"path": "/metadata", "value": {}}, "metadata-text": {"path": "/metadata", "value": "x"},
    "root": {"path": "", "value": {"apiVersion": "v1"}}, "root-list": {"path": "", "value": []}, "root-absent": {"path": ""},
    "other-prefix": {"path": "x/metadata/name", "value": "other"}, "kind-prefix": {"path": "x/kind", "value": "Secret"},
    "labels": {"path": "/metadata/labels", "value": "x"}, "root-remove": {"op": "remove", "path": ""},
    "root-add": {"op": "add", "path": "", "value": {"kind": "Secret"}},
}


def has_value(there):
    """In member2 the value is the good one; in member1 it is exactly what was asked for, large numbers included."""
    assert "lang" in there["data"], there["data"]


def has_key(key):
    def check(there):
        assert there["data"].get(key) == "v", f"no member {key[:100]!r}"
    return check


@test(smoke=True)
def overrides_of_wrong_types(t):
    Drive(t).run(override_rows())


@test()
def operations_of_an_override(t):
    Drive(t).run(operation_rows())
