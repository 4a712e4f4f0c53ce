"""Bad input, as tables: hostile values, what must become of each, and the drive that holds a control plane to it.

A Row is one bad specification with the outcome that the description of the behaviour asks for. drive() makes two objects of
each: one that was propagated before it became bad (nothing of it may change in a member), and one that is bad from its
first day. It waits for the outcome of both, corrects them, and waits until they are propagated.
"""
import json
import time

from harness import MANAGED, check_propagated, describe_error, eventually, expect, k, show, slowness

BOTH = ("member1", "member2")
MARKER = "marker-of-a-secret-value"     # in every good template: must appear in no event and no log
GOOD = {"template": {"data": {"lang": "en", "secret": MARKER, "list": ["a", "b"]}},
        "placement": {"clusters": [{"name": m} for m in BOTH]}}
GOOD_AGAIN = {"template": {"data": {"lang": "fr", "secret": MARKER}}, "placement": GOOD["placement"]}
LONG = "x" * 200_000
MANY = 10_000


def deep(levels):
    value = {"end": True}
    for _ in range(levels):
        value = {"d": value}
    return value


# What breaks parsers, formats and counters, of every JSON type.
VALUES = {
    "null": None, "false": False, "true": True, "zero": 0, "negative": -1, "int64": 9223372036854775807,
    "uint64": 18446744073709551616, "exponent": 1e308, "float": 1.5, "empty": "", "text": "soon",
    "format": "%s%n%d%99999999d", "nul": "a\u0000b", "control": "a\u0001\u001b[31m\r\nE1123 forged", "emoji": "\U0001f680\u2028" * 200,
    "path": "../../etc/passwd", "long": LONG, "list": [], "numbers": [1, 2, 3], "nulls": [None, None],
    "many": ["x"] * MANY, "object": {}, "odd": {"": {"": ""}}, "deep": deep(500),
}


def put(spec, path, value):
    """A copy of the spec with the value at a path of names and indices; an index past the end appends."""
    spec = json.loads(json.dumps(spec))
    here = spec
    for step, following in zip(path, path[1:]):
        new = [] if isinstance(following, int) else {}
        if isinstance(here, list) and step >= len(here):
            here.append(new)
            step = -1
        elif isinstance(here, dict):
            here.setdefault(step, new)
        here = here[step]
    if isinstance(here, list) and path[-1] >= len(here):
        here.append(value)
    else:
        here[path[-1]] = value
    return spec


# ---- outcomes

class Propagated:
    """The value is legitimate, or ignored: the object is in these clusters and says so."""
    bad = False

    def __init__(self, clusters=BOTH, event=None, content=None):
        self.clusters, self.event, self.content = clusters, event, content

    def check(self, world, obj, before):
        check_propagated(obj, self.clusters)
        name = obj["metadata"]["name"]
        if self.event:
            world.has_event(name, self.event, "")
        for member in BOTH:
            there = world.members[member].get(name)
            expect(bool(there), member in self.clusters, f"{name} in {member}")
            if there:
                expect(there["metadata"]["labels"].get(MANAGED), "true", f"label of {name} in {member}")
                same_content(obj, there, self.content)


class Fails:
    """The clusters show one of the statuses, an event names the field; what was in the members stays as it was."""
    bad = True

    def __init__(self, statuses, text, clusters=BOTH):
        self.statuses, self.text, self.clusters = statuses.split("|"), text, clusters

    def check(self, world, obj, before):
        name, status = obj["metadata"]["name"], obj.get("status") or {}
        expect(status.get("observedGeneration"), obj["metadata"]["generation"], f"generation seen of {name}")
        condition = k.condition(obj, "Propagation")
        expect((condition.get("status"), condition.get("reason")), ("False", "CheckClusters"), f"condition of {name}")
        for cluster in status["clusters"]:
            if cluster["name"] in self.clusters:
                assert cluster.get("status") in self.statuses, f"{name}: {show(status)} instead of {self.statuses}"
        world.has_event(name, None, self.text)
        world.untouched(name, before)


class Unplaced:
    """The placement cannot be computed: condition and event say why, and nothing is removed anywhere."""
    bad = True

    def __init__(self, text):
        self.text = text

    def check(self, world, obj, before):
        name, status = obj["metadata"]["name"], obj.get("status") or {}
        condition = k.condition(obj, "Propagation")
        expect((status.get("observedGeneration"), condition.get("status"), condition.get("reason"), status.get("clusters")),
               (obj["metadata"]["generation"], "False", "ComputePlacementFailed", None), f"status of {name}")
        world.has_event(name, "ComputePlacementFailed", self.text)
        world.untouched(name, before)


class Either:
    """What Kubernetes itself owns: a member that has everything else need not be asked."""
    bad = None

    def __init__(self, *outcomes):
        self.outcomes = outcomes

    def check(self, world, obj, before):
        errors = []
        for outcome in self.outcomes:
            try:
                return outcome.check(world, obj, before)
            except AssertionError as e:
                errors.append(str(e))
        raise AssertionError("; ".join(errors))


class Asked:
    """The member's own API server decides: it is asked in a dry run, with the object that has to arrive there."""
    bad = None

    def __init__(self, text="", owned=False):
        self.text, self.owned = text, owned

    def resolve(self, gadgets, name, spec, live):
        wanted = desired(gadgets, name, spec["template"] or {}, live)
        path = k.path_of(gadgets.target, gadgets.plane.namespace, name if live else None)
        try:
            gadgets.case.member1.call("PUT" if live else "POST", path + "?dryRun=All", wanted)
            return Propagated()
        except k.ApiError as e:
            assert e.code < 500 or e.code == 500 and "resourceVersion" in e.message, e
            refused = Fails("UpdateFailed" if live else "CreationFailed", self.text)
            return Either(refused, Propagated()) if live and self.owned else refused


def desired(gadgets, name, template, live):
    """The object in a member as controllers.md 5.6 and 5.8 say."""
    obj = json.loads(json.dumps(template))
    meta = obj["metadata"] = dict(obj.get("metadata") or {})
    for key in ("annotations", "finalizers"):
        meta.pop(key, None)
    meta.update(name=name, namespace=gadgets.plane.namespace)
    meta["labels"] = {**(meta.get("labels") or {}), MANAGED: "true"}
    if live:
        meta["resourceVersion"] = live["metadata"]["resourceVersion"]
    version = obj.get("apiVersion")
    obj.update(apiVersion=version if isinstance(version, str) and version else gadgets.target.rsplit("/", 1)[0],
               kind=gadgets.kind)
    return obj


def same_content(fed, there, content):
    """Every value arrives as it is, however large, odd or deep."""
    template = fed["spec"].get("template") or {}
    if content is not None:
        content(there)
        return
    for key in ("data", "spec"):
        if isinstance(template.get(key), dict) and not fed["spec"].get("overrides"):
            assert there.get(key) == template[key], f"{fed['metadata']['name']}: {key} is {show(there.get(key), 300)}"


# ---- rows

class Row:
    """A bad spec by name. `update` is the outcome for an object that was there before, if it is another one."""

    def __init__(self, name, spec, outcome, update=None):
        self.name, self.spec = name, spec
        self.outcomes = {"new": outcome, "old": update or outcome}


def rows(field, path, outcome, words=None, base=None):
    """One row for each hostile value at that path; outcome(word, value) may give None: no row."""
    for word in words or VALUES:
        wanted = outcome(word, VALUES[word])
        if wanted:
            new, old = wanted if isinstance(wanted, tuple) else (wanted, None)
            yield Row(f"{field}-{word}".lower(), put(base or GOOD, path, VALUES[word]), new, old)


# ---- driving

class World:
    """One look at everything: federated objects, events, and what is in the members."""

    def __init__(self, t, plane, gadgets):
        self.fed = named(t.host.list(gadgets.fed, plane.namespace))
        self.members = {m: named(t.env.apis[m].list(gadgets.target, plane.namespace)) for m in BOTH}
        self.events = {}
        for event in t.host.list(k.EVENTS, plane.namespace):
            self.events.setdefault(event["involvedObject"].get("name"), []).append(event)

    def has_event(self, name, reason, text):
        events = self.events.get(name, [])
        assert any((reason is None or e["reason"] == reason) and text in e["message"] for e in events), \
            f"{name} has no event {reason or ''} with {text!r}: {show([(e['reason'], e['message'][:200]) for e in events])}"

    def untouched(self, name, before):
        for member in BOTH:
            now, then = version(self.members[member].get(name)), before[member].get(name)
            expect(now, then, f"uid and version of {name} in {member}")

    def all_bounded(self):
        for name, events in self.events.items():
            for event in events:
                assert len(event["message"]) <= 5000, f"event of {len(event['message'])} characters about {name}"
                assert MARKER not in event["message"], f"a value appears in an event about {name}: {event['message'][:300]}"


def named(objects):
    return {o["metadata"]["name"]: o for o in objects}


def version(obj):
    return obj and (obj["metadata"]["uid"], obj["metadata"]["resourceVersion"])


def send(t, gadgets, name, spec, old=False):
    """Creates or replaces. Returns whether the host's API server took it; what it refuses never gets to the controller."""
    namespace = gadgets.plane.namespace
    try:
        if old:
            t.edit(gadgets.fed, namespace, name, lambda o: o.update(spec=spec))
        else:
            t.host.create(gadgets.fed, namespace, {"kind": "Federated" + gadgets.kind, "metadata": {"name": name}, "spec": spec})
        return True
    except k.ApiError as e:
        assert e.code in (400, 413, 422), f"{name}: {e}"
        return False


def wait_all(look, checks, timeout, pause=0.3):
    """checks: {name: function(world)}. Each must pass at one look; all failures are shown at the deadline."""
    deadline = time.monotonic() + timeout * slowness()
    left = dict(checks)
    while left:
        world, failures = look(), {}
        for name, check in left.items():
            try:
                check(world)
            except (AssertionError, KeyError, TypeError, AttributeError) as e:
                failures[name] = describe_error(e)
        left = {name: checks[name] for name in failures}
        if left and time.monotonic() >= deadline:
            lines = [f"{name}: {text[:400]}" for name, text in list(failures.items())[:12]]
            raise AssertionError(f"{len(failures)} of {len(checks)} not as they should be:\n" + "\n".join(lines))
        time.sleep(pause if left else 0)


class Drive:
    """Rows against one control plane; see the top of the file."""

    def __init__(self, t, prefix="x", arguments=("--v=4",), timeout=60):
        self.t, self.prefix, self.timeout = t, prefix, timeout
        self.plane, self.gadgets, _ = t.private(start=False)
        self.plane.start(arguments)
        self.plane.wait_ready(*BOTH)
        self.plane.wait_running(self.gadgets.ftc)
        self.pid, self.memory = self.plane.controller.process.pid, self.plane.controller.memory()
        self.good = 0

    def look(self):
        return World(self.t, self.plane, self.gadgets)

    def run(self, table):
        table = list(table)
        assert len({r.name for r in table}) == len(table), "rows of the same name"
        old = [f"old-{r.name}" for r in table]
        for name in old:
            send(self.t, self.gadgets, name, GOOD)
        wait_all(self.look, {n: lambda w, n=n: check_propagated(w.fed[n], BOTH) for n in old}, self.timeout)
        world = self.look()
        before = {m: {n: version(o) for n, o in world.members[m].items()} for m in BOTH}
        wanted = self.make_bad(table, world)
        self.another_good_one()
        wait_all(self.look, {n: lambda w, n=n: wanted[n].check(w, w.fed[n], before) for n in wanted}, self.timeout)
        self.look().all_bounded()
        self.correct(wanted, before)
        self.healthy()

    def make_bad(self, table, world):
        """{name: outcome} of what the host's API server took."""
        wanted = {}
        for row in table:
            for age in ("old", "new"):
                name, outcome = f"{age}-{row.name}", row.outcomes[age]
                if isinstance(outcome, Asked):
                    outcome = outcome.resolve(self.gadgets, name, row.spec, world.members["member1"].get(name))
                if send(self.t, self.gadgets, name, row.spec, age == "old"):
                    wanted[name] = outcome
        assert len(wanted) >= len(table), f"the API server took {len(wanted)} of {2 * len(table)} objects"
        return wanted

    def correct(self, wanted, before):
        for name in wanted:
            send(self.t, self.gadgets, name, GOOD_AGAIN, old=True)

        def corrected(world, name):
            check_propagated(world.fed[name], BOTH)
            for member in BOTH:
                there = world.members[member][name]
                expect(there["data"]["lang"], "fr", f"{name} in {member}")
                if wanted[name].bad and before[member].get(name):
                    expect(there["metadata"]["uid"], before[member][name][0], f"uid of {name} in {member}")
        wait_all(self.look, {n: lambda w, n=n: corrected(w, n) for n in wanted}, self.timeout + 40)

    def another_good_one(self, timeout=20):
        """Bad objects hold up nobody else."""
        self.good += 1
        name = f"good-{self.good}"
        send(self.t, self.gadgets, name, GOOD)
        self.gadgets.propagated(name, BOTH, timeout)

    def healthy(self, most=150_000):
        controller = self.plane.controller
        assert controller.alive(), controller.describe_end()
        expect(controller.process.pid, self.pid, "process of the controller manager")
        grown = controller.memory() - self.memory
        # A sanitizer keeps what was freed for a while.
        assert grown < (most if self.memory < 20_000 else 700_000), f"{self.memory} KiB before, {grown} KiB more now"
        clean_log(controller)


def clean_log(controller, most=20_000):
    """Lines of a bounded length and number, nothing forged, no values."""
    log = controller.log()
    lines = log.splitlines()
    assert len(lines) < most, f"{len(lines)} lines in {controller.log_path}"
    for line in lines:
        assert len(line) < 8192, f"a log line of {len(line)} characters: {line[:300]}"
        assert not line.startswith("E1123 forged"), "a value forges a log line"
    assert MARKER not in log, "a value of a template appears in the log"
    assert "\u001b" not in log and "\u0000" not in log, "control characters in the log"


__all__ = [name for name in dir() if not name.startswith("_")]
