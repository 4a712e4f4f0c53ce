"""Bad input in every field of every API type: no crash, no wedge, a clear word (event, status or log), and it heals."""
import json

from harness import FNS, eventually, expect, k, show, test

BIG = "x" * 200_000
DEEP = 0
for _ in range(400):
    DEEP = [DEEP]
# JSON of every kind, and what bites parsers; {"$raw": text} is put into the request as it is.
VALUES = {
    "null": None, "false": False, "zero": 0, "negative": -1, "huge": 9223372036854775807, "float": 1.5, "exponent": 1e300,
    "empty": "", "text": "soon", "format": "%s%n%d%99999999d", "control": "a\u0001b\u001fc", "emoji": "\U0001f680\u2028", "path": "../../etc/passwd",
    "large": BIG, "list": [], "numbers": [1, 2, 3], "nulls": [None, None], "object": {}, "odd": {"": {"": ""}}, "deep": DEEP,
}
GOOD = {"template": {"data": {"a": "b"}}, "placement": {"clusters": [{"name": "member1"}]}}


def with_field(path, value):
    """A copy of GOOD with the value at a path of names and indices."""
    spec = json.loads(json.dumps(GOOD))
    here = spec
    for step, following in zip(path, path[1:] + [None]):
        if following is None:
            if isinstance(here, list):
                here.append(value)
            else:
                here[step] = value
        elif isinstance(here, list):
            here.append([] if isinstance(following, int) else {})
            here = here[-1]
        else:
            here = here.setdefault(step, [] if isinstance(following, int) else {})
    return spec


FIELDS = {
    "template": ["template"], "metadata": ["template", "metadata"], "labels": ["template", "metadata", "labels"],
    "label": ["template", "metadata", "labels", "l"], "annotations": ["template", "metadata", "annotations"],
    "finalizers": ["template", "metadata", "finalizers"], "owners": ["template", "metadata", "ownerReferences"],
    "version": ["template", "apiVersion"], "kind": ["template", "kind"], "name": ["template", "metadata", "name"],
    "body": ["template", "spec"], "replicas": ["template", "spec", "replicas"], "status": ["template", "status"],
    "placement": ["placement"], "clusters": ["placement", "clusters"], "cluster": ["placement", "clusters", 1],
    "clustername": ["placement", "clusters", 1, "name"], "retain": ["retainReplicas"],
    "overrides": ["overrides"], "override": ["overrides", 0], "overridename": ["overrides", 0, "clusterName"],
}
SELECTOR = {
    "selector": [], "matchlabels": ["matchLabels"], "matchlabel": ["matchLabels", "l"], "expressions": ["matchExpressions"],
    "expression": ["matchExpressions", 0], "key": ["matchExpressions", 0, "key"], "operator": ["matchExpressions", 0, "operator"],
    "values": ["matchExpressions", 0, "values"],
}
PATCH = {"ops": [], "op": [0], "opname": [0, "op"], "oppath": [0, "path"], "opvalue": [0, "value"]}


def nested(path, value):
    """A value inside lists (numbers) and objects (names)."""
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


def specs():
    """(name, spec) of one federated object per field and value."""
    for field, path in FIELDS.items():
        for word, value in VALUES.items():
            yield f"{field}-{word}", with_field(path, value)
    for field, path in SELECTOR.items():
        for word, value in VALUES.items():
            yield f"{field}-{word}", {**GOOD, "placement": {"clusterSelector": nested(path, value)}}
    for field, path in PATCH.items():
        for word, value in VALUES.items():
            patch = nested(path, value)
            if field in ("opname", "opvalue"):
                patch[0]["path"] = "/data/a"
            yield f"{field}-{word}", {**GOOD, "overrides": [{"clusterName": "member1", "clusterOverrides": patch}]}


def send(t, resource, namespace, obj):
    """Creates the object; what the API server itself refuses is no case. Returns whether it took it."""
    try:
        t.host.create(resource, namespace, obj)
        return True
    except k.ApiError as e:
        assert e.code in (400, 413, 422), e
        return False


def healed(gadgets, name):
    """Propagated, whatever else somebody wrote into the status."""
    obj = gadgets.get(name)
    conditions = [c for c in obj["status"]["conditions"] if isinstance(c, dict) and c.get("type") == "Propagation"]
    expect((obj["status"]["observedGeneration"], obj["status"]["clusters"], [c["status"] for c in conditions]),
           (obj["metadata"]["generation"], [{"name": "member1"}], ["True"]), f"status of {name}")


def judged(t, plane, gadgets, names):
    """Every object has a status for its generation that says success, or what is wrong and where."""
    found = {o["metadata"]["name"]: o for o in t.host.list(gadgets.fed, plane.namespace)}
    for name in names:
        status = found[name].get("status") or {}
        assert isinstance(status, dict) and status.get("observedGeneration") == 1, f"{name}: {show(status)[:300]}"
        condition = k.condition(found[name], "Propagation")
        assert condition.get("status") in ("True", "False"), f"{name}: {show(condition)}"
        if condition["status"] == "False":
            wrong = [c for c in status.get("clusters") or [] if c.get("status")]
            assert condition.get("reason") == "ComputePlacementFailed" or wrong, f"{name}: {show(status)[:300]}"


@test(smoke=True)
def every_field_of_a_federated_object(t):
    """A federated CRD without schema lets everything through to the controller."""
    plane, gadgets, _ = t.private(members=("member1",))
    memory = plane.controller.memory()
    names = []
    for name, spec in specs():
        if send(t, gadgets.fed, plane.namespace, {"kind": "Federated" + gadgets.kind, "metadata": {"name": name}, "spec": spec}):
            names.append(name)
    assert len(names) > 300, f"only {len(names)} objects were taken"
    gadgets.create("good", ["member1"])
    gadgets.propagated("good", ["member1"], 120)    # hundreds are before it
    eventually(lambda: judged(t, plane, gadgets, names), 120)
    # It heals when it is put right.
    for name in ("template-text", "clusters-text", "key-text", "oppath-odd", "overrides-numbers", "labels-list", "retain-text"):
        if name in names:
            t.edit(gadgets.fed, plane.namespace, name, lambda o: o.update(spec=GOOD))
            gadgets.propagated(name, ["member1"], 60)
    assert plane.controller.alive(), plane.controller.describe_end()
    # A sanitizer keeps what was freed for a while.
    most = 120_000 if memory < 20_000 else 600_000
    assert plane.controller.memory() - memory < most, f"{memory} KiB before, {plane.controller.memory()} KiB after"


def overwrite_status(t, plane, gadgets, name, status):
    """Again when the control plane was faster."""
    while True:
        try:
            return t.host.replace(gadgets.fed, plane.namespace, {**gadgets.get(name), "status": status}, "status")
        except k.ApiError as e:
            if e.code != 409:
                raise


@test(smoke=True)
def every_annotation_and_status_of_a_federated_object(t):
    plane, gadgets, _ = t.private(members=("member1",))
    annotations = ("kubefed.io/orphan", "kubefed.io/deleteoption", "kubefed.io/orphan-unreachable-after")
    texts = ["", "true", "soon", "-1s", "1h" * 100, "9" * 40 + "h", "{", "[]", "null", "{\"gracePeriodSeconds\":\"x\"}",
             "{\"gracePeriodSeconds\":-5}", "{\"propagationPolicy\":7}", "{\"preconditions\":[]}", "%s%n", "\u2028\u0000"[:1], "[" * 5000]
    names = []
    for number, text in enumerate(texts):
        for at, key in enumerate(annotations):
            name = f"note-{number}-{at}"
            gadgets.create(name, ["member1"], annotations={key: text})
            names.append(name)
    for name in names:
        gadgets.propagated(name, ["member1"], 60)
    garbage = [{"clusters": "x"}, {"clusters": [1, None, {"name": 5}]}, {"conditions": {}}, {"conditions": [None, {"type": 3}]},
               {"observedGeneration": "x"}, {"observedGeneration": 1e300}, {"clusters": [{"name": "ghost", "remoteStatus": DEEP}]}]
    for number, status in enumerate(garbage):
        overwrite_status(t, plane, gadgets, names[number], status)
        t.edit(gadgets.fed, plane.namespace, names[number], lambda o: o["spec"]["template"]["data"].update(more="yes"))
        eventually(lambda n=names[number]: healed(gadgets, n), 60)
    for name in names:
        t.host.delete(gadgets.fed, plane.namespace, name)
    # What says nonsense about deletion waits and says so; all others are gone.
    stuck = {f"note-{n}-1" for n, text in enumerate(texts) if n in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15)}
    eventually(lambda: expect({o["metadata"]["name"] for o in t.host.list(gadgets.fed, plane.namespace)} <= stuck, True, "gone"), 60)
    for obj in t.host.list(gadgets.fed, plane.namespace):
        name = obj["metadata"]["name"]
        eventually(lambda n=name: expect(bool(plane.events(n, reason="InvalidDeleteOptions")), True, f"event of {n}"))
        t.host.patch(gadgets.fed, plane.namespace, name, {"metadata": {"annotations": {"kubefed.io/deleteoption": None}}})
    eventually(lambda: expect(t.host.list(gadgets.fed, plane.namespace), [], "what is left"), 90)


@test(smoke=True)
def every_field_of_a_cluster(t):
    """What the CRD lets through (its schema is that of KubeFed): reported at the cluster, others go on."""
    plane, gadgets, _ = t.private(members=("member1",))
    # Nobody is at that address: two names for one member, placed differently, would fight about its objects.
    good = {**plane.cluster("member1")["spec"], "apiEndpoint": "https://127.0.0.1:1"}
    taken = 0
    for field in ("apiEndpoint", "caBundle", "proxyURL", "secretRef", "disabledTLSValidations"):
        for word, value in VALUES.items():
            obj = {"metadata": {"name": f"{field.lower()}-{word}"}, "spec": {**good, field: value}}
            taken += send(t, k.KFC, plane.namespace, obj)
    for number, endpoint in enumerate(("https://", "http://:0", "https://[::1", "https://127.0.0.1:99999", "https://u:p@127.0.0.1:1",
                                       "ftp://127.0.0.1", "https://127.0.0.1:1/" + "a/" * 500, "127.0.0.1:1:1", "https://%zz", "\\\\x")):
        taken += send(t, k.KFC, plane.namespace, {"metadata": {"name": f"endpoint-{number}"}, "spec": {**good, "apiEndpoint": endpoint}})
    for number, token in enumerate((None, "", "\n", "a b\r\nX-Evil: 1", "x" * 100_000, "\u0000")):
        plane.add_cluster(f"token-{number}", good["apiEndpoint"], token, good["caBundle"])
        taken += 1
    assert taken > 20, f"only {taken} clusters were taken"

    def told():
        for cluster in t.host.list(k.KFC, plane.namespace):
            name = cluster["metadata"]["name"]
            conditions = {c["type"]: c["status"] for c in cluster.get("status", {}).get("conditions") or []}
            assert conditions, f"{name} has no condition"
            for condition in cluster["status"]["conditions"]:
                assert "X-Evil" not in condition.get("message", "") and len(condition.get("message", "")) < 5000, name
    eventually(told, 120)
    gadgets.create("good", ["member1"])
    gadgets.propagated("good", ["member1"], 90)
    assert plane.controller.alive()


@test()
def every_field_of_a_type_config(t):
    plane, gadgets, _ = t.private(members=("member1",))
    good = t.host.get(k.FTC, plane.namespace, gadgets.ftc)["spec"]
    taken = 0
    for field in ("propagation", "statusCollection", "targetType", "federatedType", "statusType"):
        for word, value in VALUES.items():
            taken += send(t, k.FTC, plane.namespace, {"metadata": {"name": f"{field.lower()}-{word}.example.com"},
                                                      "spec": {**good, field: value}})
    for kind in ("targetType", "federatedType"):
        for part in ("group", "version", "kind", "pluralName", "scope"):
            for word, value in VALUES.items():
                taken += send(t, k.FTC, plane.namespace, {"metadata": {"name": f"{kind.lower()}-{part.lower()}-{word}.example.com"},
                                                          "spec": {**good, kind: {**good[kind], part: value}}})
    gadgets.create("good", ["member1"])
    gadgets.propagated("good", ["member1"], 60)
    assert taken and plane.controller.alive()
    assert plane.controller.memory() < 600_000, plane.controller.memory()


@test()
def every_field_of_records_and_namespaces(t):
    """PropagatedVersion as a hostile user writes it before a start; FederatedNamespace placements; pending removals."""
    plane, gadgets, _ = t.private(members=("member1",), start=False)
    for number, status in enumerate(({}, {"templateVersion": "x" * 1000}, {"clusterVersions": [{"clusterName": "", "version": ""}]},
                                     {"clusterVersions": [{"clusterName": "member1", "version": "gen:99999999999999999999"}] * 500})):
        name = f"{gadgets.kind.lower()}-thing-{number}"
        t.host.create(k.PV, plane.namespace, {"metadata": {"name": name}})
        try:
            t.host.patch(k.PV, plane.namespace, name, {"status": {"templateVersion": "", "overridesVersion": "", **status}}, "status")
        except k.ApiError as e:
            assert e.code == 422, e
    t.host.create(k.CONFIGMAPS, plane.namespace, {"metadata": {"name": "kubefed-pending-removals"}, "data": {
        "member1": "[" * 3000, "ghost": json.dumps([{"type": 7}, None, {"type": "x", "key": "y", "uid": [], "since": "then"}] * 100),
        "member2": "{}", "not.a-cluster": ""}})
    plane.start()
    plane.wait_ready("member1")
    plane.wait_running(gadgets.ftc)
    for number in range(4):
        gadgets.create(f"thing-{number}", ["member1"])
        gadgets.propagated(f"thing-{number}", ["member1"], 60)
    t.main()
    namespace = t.namespace(federate=False)
    for word, value in VALUES.items():
        for placement in ({"clusters": value}, {"clusterSelector": value}, value):
            try:
                t.host.create(FNS, namespace, {"metadata": {"name": namespace}, "spec": {"placement": placement}})
                t.host.delete(FNS, namespace, namespace)
                t.gone(t.host, FNS, namespace, namespace)
            except k.ApiError as e:
                assert e.code in (400, 413, 422), (word, e)
    gadgets.create("good", ["member1"])
    gadgets.propagated("good", ["member1"], 60)
    assert plane.controller.alive()


@test(smoke=True)
def what_hostile_users_of_a_member_write(t):
    """Labelled objects in any shape, without federated object and instead of the federated one."""
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])
    label = {"kubefed.io/managed": "true"}
    for word, value in VALUES.items():
        for part in ("spec", "data", "status"):
            try:
                t.member1.create(gadgets.target, plane.namespace, {"metadata": {"name": f"{part}-{word}", "labels": label}, part: value})
            except k.ApiError as e:
                assert e.code in (400, 413, 422), e
    many = {f"l{number}": "v" for number in range(3000)}
    t.member1.create(gadgets.target, plane.namespace, {"metadata": {"name": "many", "labels": {**many, **label},
                                                                    "annotations": {f"a{n}": BIG[:60] for n in range(3000)}}})

    def let_go():
        for obj in t.member1.list(gadgets.target, plane.namespace):
            if obj["metadata"]["name"] != "thing":
                assert "kubefed.io/managed" not in (obj["metadata"].get("labels") or {}), obj["metadata"]["name"]
    eventually(let_go, 60)
    for value in (VALUES["deep"], {"replicas": "many"}, {"replicas": 1e300}, {"replicas": {"a": 1}}):
        t.member1.patch(gadgets.target, plane.namespace, "thing", {"spec": {"x": value} if not isinstance(value, dict) else value})
        t.edit(gadgets.fed, plane.namespace, "thing", lambda o: o["spec"].update(retainReplicas=not o["spec"].get("retainReplicas")))
    t.edit(gadgets.fed, plane.namespace, "thing", lambda o: o["spec"].update(retainReplicas=False))
    gadgets.propagated("thing", ["member1"], 90)
    assert plane.controller.alive()


@test()
def a_template_that_gains_annotations_is_told(t):
    """5.6: also when nothing else changed, so that no member is written to."""
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])
    t.edit(gadgets.fed, plane.namespace, "thing", lambda o: o["spec"]["template"].update(metadata={"annotations": {"a": "b"}}))
    eventually(lambda: expect(len(plane.events("thing", reason="AnnotationsNotSupported")), 1, "events"))
    assert "annotations" not in gadgets.in_member("member1", "thing")["metadata"], "annotations in member1"


@test()
def an_api_version_that_the_member_does_not_take_is_told(t):
    """5.6 step 4: the template's apiVersion is sent; who changes only that must not read "propagated"."""
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])
    t.edit(gadgets.fed, plane.namespace, "thing", lambda o: o["spec"]["template"].update(apiVersion=f"{gadgets.group}/v9"))
    eventually(lambda: expect(gadgets.clusters("thing"), {"member1": "UpdateFailed"}, "clusters"))
    t.edit(gadgets.fed, plane.namespace, "thing", lambda o: o["spec"]["template"].pop("apiVersion"))
    gadgets.propagated("thing", ["member1"])


@test()
def long_messages_are_cut(t):
    plane, gadgets, _ = t.private(members=("member1",))
    expressions = [{"key": f"bad key {number}", "operator": "In", "values": ["v"]} for number in range(2000)]
    t.federate(gadgets.fed, plane.namespace, "thing", {"data": {}}, clusters=None, selector={"matchExpressions": expressions})

    def told():
        message = plane.events("thing", reason="ComputePlacementFailed")[0]["message"]
        assert "bad key 0" in message and len(message) < 5000, message[:200]
    eventually(told)
