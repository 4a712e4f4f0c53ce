"""One member never hurts another: down, hanging, lacking an API, with a broken or rotated token (controllers.md 5.13)."""
import base64
import os
import time

import faults
from harness import (FCM, MANAGED, eventually, expect, k, make_admin, other_authority, show, slowness, stays, test,
                     token_for)


@test(smoke=True)
def a_member_that_lacks_the_type_does_not_block_the_other(t):
    plane, gadgets, _ = t.private(missing_in=("member2",))
    gadgets.create("one")
    gadgets.create("two")
    for name in ("one", "two"):
        eventually(lambda n=name: expect(gadgets.in_member("member1", n)["data"], {"lang": "en"}, f"{n} in member1"))

    def reported():
        clusters = gadgets.clusters("one")
        assert clusters["member1"] == "" and clusters["member2"], f"clusters: {clusters}"
        condition = k.condition(gadgets.get("one"), "Propagation")
        expect((condition["status"], condition["reason"]), ("False", "CheckClusters"), "condition")
    eventually(reported)
    assert plane.controller.alive()
    # The type is installed later, and is noticed.
    gadgets.install("member2")
    gadgets.propagated("one", timeout=60)
    gadgets.propagated("two", timeout=60)


@test()
def an_object_can_be_deleted_while_a_member_lacks_the_type(t):
    plane, gadgets, _ = t.private(missing_in=("member2",))
    gadgets.create("one", ["member1"])
    gadgets.propagated("one", ["member1"])
    t.host.delete(gadgets.fed, plane.namespace, "one")
    t.gone(t.host, gadgets.fed, plane.namespace, "one")
    expect(gadgets.in_member("member1", "one"), None, "object in member1")


@test(smoke=True)
def a_member_that_is_down_is_reported_and_healed(t):
    plane, gadgets, proxies = t.private(proxied=("member2",))
    gadgets.create("before")
    gadgets.propagated("before")
    proxies["member2"].refuse()
    gadgets.create("during")
    eventually(lambda: expect(gadgets.in_member("member1", "during")["data"], {"lang": "en"}, "data in member1"), timeout=30)

    def reported():
        clusters = gadgets.clusters("during")
        expect(clusters["member1"], "", "status of member1")
        expect(clusters["member2"], "ClusterNotReady", "status of member2")
    eventually(reported)
    # What is changed and deleted meanwhile reaches the others at once.
    t.host.patch(gadgets.fed, plane.namespace, "before", {"spec": {"template": {"data": {"lang": "pl"}}}})
    eventually(lambda: expect(gadgets.in_member("member1", "before")["data"], {"lang": "pl"}, "data in member1"), timeout=30)
    proxies["member2"].pass_on()
    gadgets.propagated("during", timeout=60)
    gadgets.propagated("before", timeout=60)
    expect(gadgets.in_member("member2", "before")["data"], {"lang": "pl"}, "data in member2")
    assert plane.controller.alive()


@test(smoke=True)
def a_member_that_hangs_does_not_delay_the_other(t):
    plane, gadgets, proxies = t.private(proxied=("member2",))
    gadgets.create("before")
    gadgets.propagated("before")
    proxies["member2"].hang()
    # Who waits for the other one waits for 25 s, after which a request is given up.
    began = time.monotonic()
    for number in range(10):
        gadgets.create(f"during-{number}")
    for number in range(10):
        eventually(lambda n=number: expect(gadgets.in_member("member1", f"during-{n}")["data"], {"lang": "en"}, "data"), timeout=20)
    assert time.monotonic() - began < 100 * slowness()
    t.host.patch(gadgets.fed, plane.namespace, "before", {"spec": {"template": {"data": {"lang": "pl"}}}})
    eventually(lambda: expect(gadgets.in_member("member1", "before")["data"], {"lang": "pl"}, "data in member1"), timeout=20)
    eventually(lambda: expect([gadgets.clusters("during-0")[m] == "" for m in ("member1", "member2")], [True, False], "clusters"),
               timeout=60)
    proxies["member2"].pass_on()
    for number in range(10):
        gadgets.propagated(f"during-{number}", timeout=60)
    gadgets.propagated("before", timeout=60)
    expect(gadgets.in_member("member2", "before")["data"], {"lang": "pl"}, "data in member2")


@test()
def connections_that_are_cut_are_made_anew(t):
    plane, gadgets, proxies = t.private(proxied=("member2",))
    for number in range(3):
        gadgets.create(f"cut-{number}")
        gadgets.propagated(f"cut-{number}")
        proxies["member2"].refuse()
        proxies["member2"].pass_on()
    t.member2.patch(gadgets.target, plane.namespace, "cut-0", {"data": {"lang": "xx"}})
    eventually(lambda: expect(gadgets.in_member("member2", "cut-0")["data"], {"lang": "en"}, "data in member2"), timeout=45)


@test(smoke=True)
def a_rotated_token_is_picked_up(t):
    plane, gadgets, _ = t.private(members=("member1",), start=False)
    first, second = t.unique("rotate"), t.unique("rotate")
    for account in (first, second):
        make_admin(t.member1, account)
        t.env.secrets.add(token_for(t.member1, account))

    def store(account):
        token = token_for(t.member1, account)
        t.env.secrets.add(token)
        t.host.patch(k.SECRETS, plane.namespace, "member1-secret", {"data": {"token": base64.b64encode(token.encode()).decode()}})
    store(first)
    plane.start()
    plane.wait_ready("member1")
    gadgets.create("one", ["member1"])
    gadgets.propagated("one", ["member1"])
    store(second)
    t.member1.delete(k.SERVICEACCOUNTS, "default", first)
    gadgets.create("two", ["member1"])
    gadgets.propagated("two", ["member1"], timeout=60)
    # Watches go on as well.
    t.member1.patch(gadgets.target, plane.namespace, "one", {"data": {"lang": "xx"}})
    eventually(lambda: expect(gadgets.in_member("member1", "one")["data"], {"lang": "en"}, "data"), timeout=45)


@test()
def a_token_without_rights_is_reported_for_that_member_only(t):
    plane, gadgets, _ = t.private(start=False)
    account = t.unique("weak")
    t.member2.create(k.SERVICEACCOUNTS, "default", {"metadata": {"name": account}})
    token = token_for(t.member2, account)
    t.env.secrets.add(token)
    t.host.patch(k.SECRETS, plane.namespace, "member2-secret", {"data": {"token": base64.b64encode(token.encode()).decode()}})
    plane.start()
    plane.wait_ready("member1")
    gadgets.create("one")
    eventually(lambda: expect(gadgets.in_member("member1", "one")["data"], {"lang": "en"}, "data in member1"))

    def reported():
        clusters = gadgets.clusters("one")
        assert clusters["member1"] == "" and clusters["member2"], f"clusters: {clusters}"
    eventually(reported)
    # Rights that come later heal it.
    t.member2.create(k.CLUSTERROLEBINDINGS, None, {
        "metadata": {"name": f"e2e:{account}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "default"}]})
    gadgets.propagated("one", timeout=120)


@test()
def a_secret_without_token_costs_its_cluster_only(t):
    plane, gadgets, _ = t.private()
    server, ca = t.env.entry("member1")
    plane.add_cluster("broken", server, None, ca)
    plane.add_cluster("stranger", server, t.env.admin_token("member1"), other_authority(t.env.folder))
    gadgets.create("one", ["member1", "member2", "broken", "stranger"])

    def reported():
        expect(gadgets.clusters("one"), {"broken": "ClusterNotReady", "member1": "", "member2": "", "stranger": "ClusterNotReady"},
               "clusters")
    eventually(reported)
    t.host.delete(k.KFC, plane.namespace, "broken")
    t.host.delete(k.KFC, plane.namespace, "stranger")
    gadgets.propagated("one", ["member1", "member2"])


@test()
def a_cluster_that_joins_later_gets_everything(t):
    plane, gadgets, _ = t.private(members=("member1",))
    for number in range(5):
        gadgets.create(f"early-{number}", clusters=None, selector={})
    for number in range(5):
        gadgets.propagated(f"early-{number}", ["member1"])
    t.member2.create(k.NAMESPACES, None, {"metadata": {"name": plane.namespace}})
    gadgets.install("member2")
    eventually(lambda: t.member2.list(gadgets.target))
    plane.add_member("member2")
    for number in range(5):
        gadgets.propagated(f"early-{number}", ["member1", "member2"])


@test()
def a_cluster_that_leaves_keeps_its_objects(t):
    plane, gadgets, _ = t.private()
    gadgets.create("one", clusters=None, selector={})
    gadgets.propagated("one")
    t.host.delete(k.KFC, plane.namespace, "member2")
    gadgets.propagated("one", ["member1"])
    expect(gadgets.in_member("member2", "one")["metadata"]["labels"], {MANAGED: "true"}, "labels of what stays in member2")
    t.host.patch(gadgets.fed, plane.namespace, "one", {"spec": {"template": {"data": {"lang": "pl"}}}})
    gadgets.propagated("one", ["member1"])
    expect(gadgets.in_member("member2", "one")["data"], {"lang": "en"}, "data in member2")


@test()
def deletion_waits_for_a_member_that_is_down(t):
    """The finalizer stays until the object is gone in the member that was down, and then goes."""
    plane, gadgets, proxies = t.private(proxied=("member2",))
    gadgets.create("one")
    gadgets.propagated("one")
    proxies["member2"].refuse()
    eventually(lambda: expect(k.condition(plane.cluster("member2"), "Offline").get("status"), "True", "Offline of member2"))
    t.host.delete(gadgets.fed, plane.namespace, "one")
    eventually(lambda: expect(gadgets.in_member("member1", "one"), None, "object in member1"))
    stays(lambda: gadgets.get("one"), 1)
    proxies["member2"].pass_on()
    t.gone(t.host, gadgets.fed, plane.namespace, "one", timeout=75)
    expect(gadgets.in_member("member2", "one"), None, "object in member2")


@test(smoke=True)
def a_type_is_disabled_and_enabled_again(t):
    plane, gadgets, _ = t.private()
    gadgets.create("one")
    gadgets.propagated("one")
    t.host.patch(k.FTC, plane.namespace, gadgets.ftc, {"spec": {"propagation": "Disabled"}})
    plane.wait_running(gadgets.ftc, state="NotRunning")
    t.host.patch(gadgets.fed, plane.namespace, "one", {"spec": {"template": {"data": {"lang": "pl"}}}})
    gadgets.create("two")
    t.member1.patch(gadgets.target, plane.namespace, "one", {"data": {"lang": "drifted"}})

    def still():
        expect(gadgets.in_member("member1", "one")["data"], {"lang": "drifted"}, "data in member1")
        expect(gadgets.in_member("member1", "two"), None, "two in member1")
    stays(still, 1)
    t.host.patch(k.FTC, plane.namespace, gadgets.ftc, {"spec": {"propagation": "Enabled"}})
    plane.wait_running(gadgets.ftc)
    for name in ("one", "two"):
        gadgets.propagated(name)
    expect([gadgets.in_member(m, "one")["data"]["lang"] for m in ("member1", "member2")], ["pl", "pl"], "data")


@test()
def a_deleted_typeconfig_stops_and_goes(t):
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("one", ["member1"])
    gadgets.propagated("one", ["member1"])
    ftc = t.host.get(k.FTC, plane.namespace, gadgets.ftc)
    expect(ftc["metadata"]["finalizers"], ["core.kubefed.io/federated-type-config"], "finalizers")
    t.host.delete(k.FTC, plane.namespace, gadgets.ftc)
    t.gone(t.host, k.FTC, plane.namespace, gadgets.ftc)
    expect(gadgets.in_member("member1", "one")["data"], {"lang": "en"}, "what was propagated stays")
    plane.add_type(gadgets.target)
    plane.wait_running(gadgets.ftc)
    t.host.patch(gadgets.fed, plane.namespace, "one", {"spec": {"template": {"data": {"lang": "pl"}}}})
    gadgets.propagated("one", ["member1"])


@test()
def malformed_typeconfigs_hurt_no_other(t):
    plane, gadgets, _ = t.private(members=("member1",))
    for number, change in enumerate(({"targetType": {"version": "", "kind": "", "pluralName": "", "scope": ""}},
                                     {"propagation": "Perhaps"}, {"federatedType": {"version": "v1", "kind": "X/Y", "pluralName": "..",
                                                                                    "scope": "Nowhere", "group": "a b"}})):
        spec = {"propagation": "Enabled",
                "targetType": {"version": "v1", "kind": f"Odd{number}", "pluralName": f"odd{number}s", "scope": "Namespaced",
                               "group": "odd.example.com"},
                "federatedType": {"version": "v1beta1", "kind": f"FederatedOdd{number}", "pluralName": f"federatedodd{number}s",
                                  "scope": "Namespaced", "group": "types.kubefed.io"}}
        spec.update(change)
        t.host.create(k.FTC, plane.namespace, {"metadata": {"name": f"odd{number}s.odd.example.com",
                                                            "finalizers": ["core.kubefed.io/federated-type-config"]}, "spec": spec})
        plane.wait_running(f"odd{number}s.odd.example.com", state="NotRunning")
    gadgets.create("one", ["member1"])
    gadgets.propagated("one", ["member1"])
    assert plane.controller.alive(), plane.controller.describe_end()
    for number in range(3):
        t.host.delete(k.FTC, plane.namespace, f"odd{number}s.odd.example.com")
        t.gone(t.host, k.FTC, plane.namespace, f"odd{number}s.odd.example.com")


@test()
def cluster_scoped_types_do_not_run_in_a_namespaced_control_plane(t):
    plane, _, _ = t.private(members=("member1",))
    plane.wait_running("namespaces", state="NotRunning")
    expect(t.host.get(k.FTC, plane.namespace, "namespaces")["metadata"].get("finalizers"), None, "finalizers")


@test()
def a_second_controller_waits_for_the_first(t):
    """Leader election: the standby begins when the first one ends, which hands over at once."""
    plane, gadgets, _ = t.private(members=("member1",))
    first = plane.controller
    second = type(first)(plane)
    second.start(wait=False)
    t.cleanup(lambda: second.stop() if second.alive() else None)
    second.wait_log("attempting to acquire leader lease")
    stays(lambda: expect("Starting cluster controller" in second.log(), False, "the second one leads"), 1)
    first.stop()
    plane.controller = second
    second.wait_log("Starting cluster controller", 90)
    gadgets.create("one", ["member1"])
    gadgets.propagated("one", ["member1"])


@test()
def an_invalid_kubefedconfig_ends_the_process_with_an_error(t):
    plane = t.plane("config", "Cluster", {"leaderElect": {"leaseDuration": "1s"}})
    from harness import Controller
    controller = Controller(plane)
    controller.start(wait=False)
    status = controller.process.wait(90 * slowness())
    controller.ended_on_purpose = True
    assert status not in (0, -6, -11), f"exit status {status}"
    assert "leaseDuration" in controller.log() and "kubefed" in controller.log(), controller.tail()
    controller.check_log()


@test()
def an_unreachable_host_ends_the_process_with_an_error(t):
    plane = t.plane("config", "Cluster")
    from harness import Controller, kubeconfig_with
    path = kubeconfig_with(t.env, t.env.folder, t.unique("dead") + ".json", lambda c: [
        x["cluster"].update(server=f"https://127.0.0.1:{faults.free_port()}") for x in c["clusters"]])
    controller = Controller(plane, ["--kubeconfig", path])
    controller.start(wait=False)
    deadline = time.monotonic() + 60
    while controller.alive() and time.monotonic() < deadline and "127.0.0.1" not in controller.log():
        time.sleep(0.1)
    controller.kill()
    assert "127.0.0.1" in controller.log(), f"nothing about the unreachable host in the log:\n{controller.tail()}"
    assert os.path.exists(path)


@test()
def health_and_metrics_are_served(t):
    import http.client
    import re
    plane = t.plane("metrics", "Cluster")
    health, metrics = faults.free_port(), faults.free_port()
    from harness import Controller
    plane.controller = Controller(plane, ["--healthz-addr", f"127.0.0.1:{health}", "--metrics-addr", f"127.0.0.1:{metrics}"])
    plane.controller.start()

    def get(port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError as e:
            raise AssertionError(f"no answer at port {port}: {e}") from e
    status, body = eventually(lambda: get(health, "/healthz"))
    expect((status, body.strip().upper()), (200, "OK"), "/healthz")
    plane.add_member("member1")
    plane.wait_ready("member1")

    def counted():
        _, text = get(metrics, "/metrics")
        assert re.search(r'kubefedcluster_total\{[^}]*cluster="member1"[^}]*\} 1', text), show(text)
    eventually(counted)


@test()
def busy_ports_do_not_end_the_process(t):
    import socket
    plane = t.plane("ports", "Cluster")
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen(1)
    t.cleanup(taken.close)
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    from harness import Controller
    plane.controller = Controller(plane, ["--healthz-addr", address, "--metrics-addr", address])
    plane.controller.start()
    plane.add_member("member1")
    plane.wait_ready("member1")


@test()
def many_objects_at_once(t):
    plane, gadgets, _ = t.private()
    for number in range(200):
        gadgets.create(f"g{number}", data={"n": str(number)})
    for member in ("member1", "member2"):
        def all_there():
            found = {o["metadata"]["name"]: o["data"]["n"] for o in t.members[member].list(gadgets.target, plane.namespace)}
            expect(len(found), 200, f"objects in {member}")
            assert all(found[f"g{n}"] == str(n) for n in range(200)), "wrong data"
        eventually(all_there, 120)
    eventually(lambda: expect(sum(1 for o in t.host.list(gadgets.fed, plane.namespace)
                                  if k.condition(o, "Propagation").get("status") == "True"), 200, "objects that say so"), 120)
    for number in range(200):
        t.host.delete(gadgets.fed, plane.namespace, f"g{number}")
    eventually(lambda: expect(len(t.host.list(gadgets.fed, plane.namespace)), 0, "federated objects left"), 120)
    for member in ("member1", "member2"):
        expect(len(t.members[member].list(gadgets.target, plane.namespace)), 0, f"objects left in {member}")


@test()
def a_very_deep_object_costs_nobody_else(t):
    plane = t.main()
    namespace = t.namespace()
    deep = "v"
    for _ in range(900):
        deep = {"x": deep}
    t.federate(FCM, namespace, "deep", {"data": {"a": "b"}, "deep": deep}, clusters=["member1"])
    t.configmap(namespace, "shallow")
    t.propagated(FCM, namespace, "shallow")
    t.host.delete(FCM, namespace, "deep")
    t.gone(t.host, FCM, namespace, "deep")
    assert plane.controller.alive(), plane.controller.describe_end()
