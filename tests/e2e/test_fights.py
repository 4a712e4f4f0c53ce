"""Two writers on one field: noticed, backed off, reported by field and manager (docs/propagation.md)."""
import threading
import urllib.request

from harness import MANAGED, eventually, expect, k, show, stays, test
from webhooks import Mutator

MUTATING = "admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


class Rival:
    """Another writer that puts its value back whenever it is gone."""

    def __init__(self, change):
        self.change, self.ended, self.changes, self.error = change, threading.Event(), 0, None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended.wait(0.05):
            try:
                self.changes += bool(self.change())
            except k.Unreachable:
                continue
            except Exception as e:
                if not isinstance(e, k.ApiError) or (e.code not in (404, 409, 429) and e.code < 500):
                    self.error = e
                    return

    def end(self):
        self.ended.set()
        self.thread.join()
        assert not self.error, f"the rival gave up: {self.error!r}"


def metrics(plane):
    port = plane.controller.log().split("Serving metrics on port ")[1].split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return answer.read().decode()


def contested(gadgets, name):
    return k.condition(gadgets.get(name), "Contested").get("reason")


@test(smoke=True)
def a_contested_field_is_reported_with_its_manager(t):
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"], data={"lang": "en", "other": "same"})
    gadgets.propagated("thing", ["member1"])

    managers = set()

    def change():
        if gadgets.in_member("member1", "thing")["data"]["lang"] == "theirs":
            return False
        changed = t.member1.patch(gadgets.target, plane.namespace, "thing", {"data": {"lang": "theirs"}})
        # Only here: once it is repaired, the field is no longer the rival's.
        managers.update(m["manager"] for m in changed["metadata"]["managedFields"] if m["manager"] != "kubefed")
        return True
    rival = Rival(change)
    t.cleanup(rival.end)
    eventually(lambda: expect((contested(gadgets, "thing") or "").split(" (")[0], "member1: data.lang", "contested"))
    manager, = managers
    expect(contested(gadgets, "thing"), f'member1: data.lang (manager "{manager}")', "contested")
    # Between a repair and the rival's next change all is well for a moment.
    eventually(lambda: expect(gadgets.clusters("thing"), {"member1": "UpdateFailed"}, "clusters in the status"))

    def told():
        events = plane.events("thing", reason="FieldContested")
        assert events and "data.lang" in events[0]["message"] and manager in events[0]["message"], show(events)
        assert "theirs" not in events[0]["message"], "values are not shown"
    eventually(told)
    line = f'kubefed_contested_objects{{kind="Federated{gadgets.kind}",cluster="member1",field="data.lang",manager="{manager}"}} 1'
    assert line in metrics(plane), metrics(plane)
    assert rival.changes < 20, f"{rival.changes} repairs"
    rival.end()
    # The last repair makes it right again; that it was contested is shown until there was peace for a while.
    def peace():
        expect(gadgets.in_member("member1", "thing")["data"]["lang"], "en", "data")
        expect(gadgets.clusters("thing"), {"member1": ""}, "clusters in the status")
    eventually(peace)
    # Others of the type are not slowed down.
    gadgets.create("calm", ["member1"])
    gadgets.propagated("calm", ["member1"], 30)


@test()
def a_label_that_comes_again_is_reported(t):
    """Labels are exact (Q-27)."""
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])

    def change():
        if "their.example.com/label" in gadgets.in_member("member1", "thing")["metadata"]["labels"]:
            return False
        return t.member1.patch(gadgets.target, plane.namespace, "thing", {"metadata": {"labels": {"their.example.com/label": "x"}}})
    rival = Rival(change)
    t.cleanup(rival.end)
    eventually(lambda: expect((contested(gadgets, "thing") or "").split(" (")[0],
                              'member1: metadata.labels["their.example.com/label"]', "contested"))


@test()
def an_object_that_is_removed_again_and_again_is_reported(t):
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("gone", ["member1"])
    gadgets.create("unlabelled", ["member1"])
    gadgets.propagated("gone", ["member1"])
    gadgets.propagated("unlabelled", ["member1"])

    def remove():
        if not gadgets.in_member("member1", "gone"):
            return False
        return t.member1.delete(gadgets.target, plane.namespace, "gone", missing_ok=True) or True

    def unlabel():
        live = gadgets.in_member("member1", "unlabelled")
        if MANAGED not in (live["metadata"].get("labels") or {}):
            return False
        return t.member1.patch(gadgets.target, plane.namespace, "unlabelled", {"metadata": {"labels": {MANAGED: None}}})
    for change in (remove, unlabel):
        t.cleanup(Rival(change).end)
    eventually(lambda: expect(contested(gadgets, "gone"), "member1: the whole object", "contested"))
    # It was the only label.
    eventually(lambda: expect((contested(gadgets, "unlabelled") or "").split(" (")[0], "member1: metadata.labels", "contested"))
    eventually(lambda: expect(gadgets.clusters("gone"), {"member1": "CreationFailed"}, "clusters in the status"))


def mutate(t, gadgets, patch_of):
    """A mutating webhook in member1 for the gadgets."""
    mutator, name = Mutator(patch_of), t.unique("mutate")
    mutator.name = name
    t.cleanup(mutator.close)
    t.member1.create(MUTATING, None, mutator.configuration(name, gadgets.group, gadgets.plural))
    t.cleanup(lambda: t.member1.delete(MUTATING, None, name, missing_ok=True))
    eventually(lambda: expect(is_asked(t, gadgets, mutator), True, "the API server asks the webhook"))
    return mutator


def is_asked(t, gadgets, mutator):
    """Does the API server of member1 ask the webhook about a gadget that no control plane looks after?"""
    before, probe = mutator.reviews, t.unique("probe")
    t.member1.create(gadgets.target, "default", {"metadata": {"name": probe}})
    t.member1.delete(gadgets.target, "default", probe)
    return mutator.reviews > before


@test(smoke=True)
def a_webhook_that_changes_content_is_no_fight(t):
    """5.9: the version that came back is recorded; what admission made of the object is as good as it gets."""
    plane, gadgets, _ = t.private(members=("member1",))
    mutator = mutate(t, gadgets, lambda o: [{"op": "add", "path": "/data/lang", "value": "mutated"}] if o.get("data") else [])
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])
    expect(gadgets.in_member("member1", "thing")["data"]["lang"], "mutated", "data")
    reviews = mutator.reviews
    stays(lambda: expect(mutator.reviews, reviews, "writes of the object"), 2)
    expect(contested(gadgets, "thing"), None, "contested")


@test(smoke=True)
def a_webhook_that_adds_a_label_is_reported(t):
    """Labels are exact, so each of our writes is spoiled on its way in: tried once, named, and left so."""
    plane, gadgets, _ = t.private(members=("member1",))
    mutator = mutate(t, gadgets, lambda o: [{"op": "add", "path": "/metadata/labels/injected", "value": "yes"}]
                     if o.get("metadata", {}).get("labels") else [])
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])
    # The next look at the object finds the label, tries once, and sees that nothing came of it.
    t.host.patch(gadgets.fed, plane.namespace, "thing", {"spec": {"note": 1}})
    eventually(lambda: expect(contested(gadgets, "thing"),
                              'member1: metadata.labels.injected (manager "an admission webhook")', "contested"))
    expect(gadgets.clusters("thing"), {"member1": ""}, "clusters in the status")
    reviews = mutator.reviews
    for note in range(2, 6):
        t.host.patch(gadgets.fed, plane.namespace, "thing", {"spec": {"note": note}})
        eventually(lambda n=note: expect(gadgets.get("thing")["status"]["observedGeneration"], n + 1, "generation seen"))
    expect(mutator.reviews, reviews, "writes that change nothing")

    def told():
        events = plane.events("thing", reason="FieldContested")
        assert events and "metadata.labels.injected" in events[0]["message"], show(events)
    eventually(told)
    line = f'kubefed_contested_objects{{kind="Federated{gadgets.kind}",cluster="member1",field="metadata.labels.injected",' \
        'manager="an admission webhook"} 1'
    assert line in metrics(plane), metrics(plane)
    # It ends with the webhook, which the API server asks until it has noticed that it is gone.
    t.member1.delete(MUTATING, None, mutator.name)
    eventually(lambda: expect(is_asked(t, gadgets, mutator), False, "the API server asks the webhook"))
    t.host.patch(gadgets.fed, plane.namespace, "thing", {"spec": {"template": {"data": {"lang": "de"}}}})
    eventually(lambda: expect(gadgets.in_member("member1", "thing")["metadata"]["labels"], {MANAGED: "true"}, "labels"))
    eventually(lambda: expect(contested(gadgets, "thing"), None, "contested"))


@test()
def what_is_contested_goes_with_its_object(t):
    """Neither the metric nor the memory keeps an object that is gone, opted out, or is no longer placed there."""
    plane, gadgets, _ = t.private(members=("member1",))
    mutate(t, gadgets, lambda o: [{"op": "add", "path": "/metadata/labels/injected", "value": "yes"}]
           if o.get("metadata", {}).get("labels") else [])
    for name in ("deleted", "moved", "opted"):
        gadgets.create(name, ["member1"])
        gadgets.propagated(name, ["member1"])
        t.host.patch(gadgets.fed, plane.namespace, name, {"spec": {"note": 1}})
        eventually(lambda n=name: expect(bool(contested(gadgets, n)), True, "contested"))
    line = f'kubefed_contested_objects{{kind="Federated{gadgets.kind}"'
    assert any(entry.startswith(line) and entry.endswith(" 3") for entry in metrics(plane).splitlines()), metrics(plane)
    t.host.delete(gadgets.fed, plane.namespace, "deleted")
    t.host.patch(gadgets.fed, plane.namespace, "moved", {"spec": {"placement": {"clusters": []}}})
    t.member1.patch(gadgets.target, plane.namespace, "opted", {"metadata": {"labels": {MANAGED: "false"}}})
    for name in ("deleted", "moved"):
        t.gone(t.member1, gadgets.target, plane.namespace, name)
    eventually(lambda: expect([entry for entry in metrics(plane).splitlines() if entry.startswith(line)], [], "metric"))
