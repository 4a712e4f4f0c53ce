"""Two writers on one field: noticed, backed off, reported by field and manager (docs/propagation.md)."""
import threading
import urllib.request

from harness import MANAGED, eventually, expect, k, show, test


class Rival:
    """Another writer that puts its value back whenever it is gone."""

    def __init__(self, change):
        self.change, self.ended, self.changes = change, threading.Event(), 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended.wait(0.05):
            try:
                self.changes += bool(self.change())
            except k.ApiError as e:
                if e.code not in (404, 409):
                    raise

    def end(self):
        self.ended.set()
        self.thread.join()


def metrics(plane):
    port = plane.controller.log().split("Serving metrics on port ")[1].split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return answer.read().decode()


def contested(gadgets, name):
    return k.condition(gadgets.get(name), "Contested").get("reason")


@test(smoke=True)
def a_contested_field_is_reported_with_its_manager(t):
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"], data={"lang": "en", "other": "same"})
    gadgets.propagated("thing", ["member1"])

    def change():
        if gadgets.in_member("member1", "thing")["data"]["lang"] == "theirs":
            return False
        return t.member1.patch(gadgets.target, plane.namespace, "thing", {"data": {"lang": "theirs"}})
    rival = Rival(change)
    t.cleanup(rival.end)
    eventually(lambda: expect((contested(gadgets, "thing") or "").split(" (")[0], "member1: data.lang", "contested"))
    manager = [m["manager"] for m in gadgets.in_member("member1", "thing")["metadata"]["managedFields"] if m["manager"] != "kubefed"][0]
    expect(contested(gadgets, "thing"), f'member1: data.lang (manager "{manager}")', "contested")
    expect(gadgets.clusters("thing"), {"member1": "UpdateFailed"}, "clusters in the status")

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
    eventually(lambda: expect(gadgets.clusters("thing"), {"member1": ""}, "clusters in the status"), 90)
    expect(gadgets.in_member("member1", "thing")["data"]["lang"], "en", "data")
    # Others of the type are not slowed down.
    gadgets.create("calm", ["member1"])
    gadgets.propagated("calm", ["member1"], 10)


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
    expect(gadgets.clusters("gone"), {"member1": "CreationFailed"}, "clusters in the status")
