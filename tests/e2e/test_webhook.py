"""The admission webhook, called by a real API server: certificates of its own, rules, defaults, hostile requests."""
import base64
import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import charts
from harness import SANITIZER, Case, eventually, expect, k, slowness, test

VALIDATING = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
MUTATING = "admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
SECRET = "kubefed-admission-webhook-certificate"
SERVICE = "kubefed-admission-webhook"
PORTS = (12000, 20000)
TAKEN = set()


def free_port():
    """Of those that neither the kernel gives away nor the lab takes: a whole chart is installed before it is used."""
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            if port not in TAKEN:
                TAKEN.add(port)
                return port


class Webhook:
    """One webhook process on loopback."""

    def __init__(self, t, arguments, port=None, user=None):
        self.t, self.port, self.metrics_port = t, port or free_port(), free_port()
        self.log_path = os.path.join(t.env.logs, f"webhook-{t.env.number('webhook')}.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(t.env.bin, "webhook"), *arguments, "--bind-address=127.0.0.1", f"--secure-port={self.port}",
                 f"--metrics-addr=127.0.0.1:{self.metrics_port}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=user)
        t.cleanup(self.stop)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def get(self, path):
        """(status, body) over HTTPS, without a look at the certificate."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{self.port}{path}", timeout=20, context=context) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError as e:
            raise AssertionError(f"no answer: {e}") from e

    def ready(self, timeout=90):
        def is_ready():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log()[-3000:]}"
            expect(self.get("/readyz/"), (200, "ok"), "readyz")
        eventually(is_ready, timeout)
        return self

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=20) as answer:
            found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.M)
        return float(found.group(1)) if found else None

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # at once; SIGTERM leaves clients time
            expect(self.process.wait(20 * slowness()), 0, "exit status after SIGINT")
        report = SANITIZER.search(self.log())
        assert not report, f"sanitizer report:\n{self.log()[report.start():][:3000]}"
        for secret in self.t.env.secrets:
            assert secret not in self.log(), "a token in the log of the webhook"
        assert "PRIVATE KEY" not in self.log(), "a key in the log of the webhook"


class Installed:
    """The chart of a namespace-scoped control plane with its webhook; the Service leads to the process of the test."""

    def __init__(self, t: Case, *values):
        self.t, self.namespace = t, t.unique("webhook")
        t.host.create(k.NAMESPACES, None, {"metadata": {"name": self.namespace, "labels": {"name": self.namespace}}})
        t.cleanup(lambda: t.host.delete(k.NAMESPACES, None, self.namespace, missing_ok=True))
        self.objects = charts.render(self.namespace, "--set", "global.scope=Namespaced", *values)
        self.port = free_port()
        for obj in self.objects:
            for webhook in obj.get("webhooks", []):
                webhook["clientConfig"]["service"]["port"] = self.port
            if obj["kind"] == "Service" and obj["metadata"]["name"] == SERVICE:
                obj["spec"] = {"type": "ExternalName", "externalName": "localhost"}
        t.cleanup(lambda: charts.delete_unnamespaced(t.env, self.objects))
        charts.apply(t.env, self.objects)
        self.kubeconfig = charts.account_kubeconfig(t.env, self.namespace, SERVICE, self.namespace)
        charts.wait_for_rights(self.kubeconfig, self.objects, SERVICE)

    def arguments(self):
        given = [a for a in charts.command_of(self.objects, SERVICE) if not a.startswith("--secure-port")]
        return [*given, f"--kubeconfig={self.kubeconfig}", f"--kubefed-namespace={self.namespace}"]

    def start(self, port=None):
        return Webhook(self.t, self.arguments(), port or self.port)

    def serve(self):
        """A process that the API server asks. It is ready when both configurations trust it: API servers hear of that a moment later."""
        webhook = self.start().ready()
        config = {"metadata": {"name": "probe"}, "spec": {"scope": "Namespaced"}}

        def try_to_create(resource, obj):   # as long as nobody is asked nothing is denied: it must not stay
            path = k.path_of(resource, self.namespace) + "?dryRun=All"
            return self.t.host.call("POST", path, k.with_kind(resource, obj))

        def is_asked():
            self.denied(lambda: try_to_create(k.KFC, cluster("probe", apiEndpoint="")), "Required value")
            made = try_to_create(k.KFCONFIG, config)
            assert "leaderElect" in made["spec"], f"no defaults: {made['spec']}"
        eventually(is_asked)
        return webhook

    def denied(self, function, *texts):
        try:
            function()
        except k.ApiError as e:
            expect(e.code, 403, "HTTP status")
            for text in texts:
                assert text in e.message, f"no {text!r} in: {e.message}"
            return e.message
        raise AssertionError("it was not denied")


def cluster(name, **spec):
    return {"metadata": {"name": name}, "spec": {"apiEndpoint": "https://h:6443", "secretRef": {"name": "s"}, **spec}}


@test(smoke=True)
def an_api_server_asks_it_and_it_keeps_its_own_certificate(t):
    """Chart, rights of its own account, an empty Secret: the API server calls it a moment later, and users read its words."""
    i = Installed(t)
    webhook = i.serve()
    for resource, prefix in ((VALIDATING, "validations"), (MUTATING, "mutation")):
        for entry in t.host.get(resource, None, f"{prefix}.core.kubefed.io-{i.namespace}")["webhooks"]:
            assert entry["clientConfig"].get("caBundle"), f"{entry['name']} trusts nobody"
    message = i.denied(lambda: t.host.create(k.KFC, i.namespace, cluster("one", apiEndpoint="")), "spec.apiEndpoint: Required value")
    expect(message, 'admission webhook "kubefedclusters.core.kubefed.io" denied the request: spec.apiEndpoint: Required value', "message")
    i.denied(lambda: t.host.create(k.KFC, i.namespace, cluster("one", disabledTLSValidations=["SubjectName", "*"])),
             "when * is specified, it is expected to be the only option in list")
    t.host.create(k.KFC, i.namespace, cluster("one"))
    i.denied(lambda: t.host.patch(k.KFC, i.namespace, "one", {"spec": {"proxyURL": "ftp://x"}}),
             'spec.proxyURL: Invalid value: "ftp://x": proxy URL scheme must be one of: [http, https, socks5]')
    i.denied(lambda: t.host.create(k.FTC, i.namespace, {"metadata": {"name": "x"}, "spec": {
        "propagation": "Enabled", "targetType": {"version": "v1", "kind": "X", "pluralName": "ys", "scope": "Namespaced"},
        "federatedType": {"group": "types", "version": "v1", "kind": "FederatedX", "pluralName": "xs", "scope": "Namespaced"}}}),
        "name must be 'TARGET_PLURAL_NAME(.TARGET_GROUP_NAME)'", "should be a domain with at least one dot")
    assert webhook.metric('kubefed_webhook_reviews_total{webhook="/validate-kubefedcluster",result="denied"}') >= 3
    assert webhook.metric("kubefed_webhook_certificate_expiry_seconds") > 1.6e9


@test()
def it_fills_in_the_defaults_of_a_new_configuration(t):
    i = Installed(t)
    i.serve()
    t.host.delete(k.KFCONFIG, i.namespace, "kubefed")
    made = t.host.create(k.KFCONFIG, i.namespace, {"metadata": {"name": "kubefed"}, "spec": {
        "scope": "Namespaced", "controllerDuration": {"availableDelay": "60s"}}})["spec"]
    expect(made["controllerDuration"], {"availableDelay": "60s", "unavailableDelay": "1m0s", "cacheSyncTimeout": "5m0s"}, "delays")
    expect(made["leaderElect"], {"leaseDuration": "15s", "renewDeadline": "10s", "retryPeriod": "5s", "resourceLock": "configmaps"},
           "election")
    expect(made["featureGates"], [{"name": n, "configuration": c} for n, c in (
        ("PushReconciler", "Enabled"), ("RawResourceStatusCollection", "Disabled"), ("SchedulerPreferences", "Enabled"))], "gates")
    i.denied(lambda: t.host.patch(k.KFCONFIG, i.namespace, "kubefed", {"spec": {"scope": "Cluster"}}),
             'spec.scope: Invalid value: "Cluster": field is immutable')
    i.denied(lambda: t.host.patch(k.KFCONFIG, i.namespace, "kubefed", {"spec": {"leaderElect": {"leaseDuration": "10s"}}}),
             "leaseDuration must be greater than renewDeadline")
    i.denied(lambda: t.host.create(k.KFCONFIG, i.namespace, {"metadata": {"name": "other"}, "spec": {"scope": "Everywhere"}}),
             'spec.scope: Unsupported value: "Everywhere"')


@test()
def a_lost_certificate_is_made_anew_and_no_call_fails(t):
    i = Installed(t)
    i.serve()
    before = charts.secret_text(t.env, i.namespace, SECRET, "tls.crt")
    t.host.patch(k.SECRETS, i.namespace, SECRET, {"data": None})

    failures = []

    def asks():
        try:
            i.denied(lambda: t.host.create(k.KFC, i.namespace, cluster("one", apiEndpoint="")), "Required value")
        except AssertionError as e:
            failures.append(str(e))

    def anew():
        asks()  # by whichever certificate
        now = charts.secret_text(t.env, i.namespace, SECRET, "tls.crt")
        assert now and now != before, "the certificate is not new"
        expect(ssl.get_server_certificate(("127.0.0.1", i.port)).strip(), now.strip(), "certificate that is served")

    def only_the_new_one_is_trusted():
        asks()
        for entry in t.host.get(VALIDATING, None, f"validations.core.kubefed.io-{i.namespace}")["webhooks"]:
            bundle = base64.b64decode(entry["clientConfig"]["caBundle"]).decode()
            expect(bundle.count("BEGIN CERTIFICATE"), 1, "authorities that are trusted")
    eventually(anew, 90)
    eventually(only_the_new_one_is_trusted, 150)
    expect(failures, [], "calls that failed")


@test()
def replicas_agree_on_one_certificate(t):
    i = Installed(t)
    first, second = i.start(), i.start(free_port())
    first.ready()
    second.ready()
    served = [ssl.get_server_certificate(("127.0.0.1", w.port)).strip() for w in (first, second)]
    expect(served[0], served[1], "certificate of the second")
    expect(charts.secret_text(t.env, i.namespace, SECRET, "tls.crt").strip(), served[0], "certificate in the Secret")


@test()
def a_bundle_that_somebody_removes_is_put_back(t):
    i = Installed(t)
    i.serve()
    name = f"validations.core.kubefed.io-{i.namespace}"

    def remove(obj):
        for entry in obj["webhooks"]:
            entry["clientConfig"].pop("caBundle", None)
    t.edit(VALIDATING, None, name, remove)
    eventually(lambda: [entry["clientConfig"]["caBundle"] for entry in t.host.get(VALIDATING, None, name)["webhooks"]], 60)


@test()
def a_review_of_too_many_values_is_refused_with_words(t):
    """The API server shows its user why: an object of little text would take much memory."""
    i = Installed(t)
    i.serve()
    t.host.delete(k.KFCONFIG, i.namespace, "kubefed")
    try:
        t.host.create(k.KFCONFIG, i.namespace, {"metadata": {"name": "kubefed"}, "spec": {
            "scope": "Namespaced", "featureGates": [{"name": "x"}] * 90000}})
    except k.ApiError as e:
        expect(e.code, 413, "HTTP status")
        assert "JSON values, and at most 262144 are read: make the object smaller" in e.message, e.message[:2000]
    else:
        raise AssertionError("it was taken")
    i.denied(lambda: t.host.create(k.KFC, i.namespace, cluster("one", apiEndpoint="")), "spec.apiEndpoint: Required value")


# ---- hostile peers; no API server is needed

@contextlib.contextmanager
def own_certificate(t):
    folder = os.path.join(t.env.folder, t.unique("cert"))
    os.makedirs(folder)
    make_pair(folder)
    yield folder


def make_pair(folder, expired=False):
    """Written elsewhere and moved into place, one after the other, as tools do."""
    for name in ("tls.crt", "tls.key"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, name + ".new"))
    if expired:
        key, request, new = (os.path.join(folder, name) for name in ("tls.key", "request", "tls.crt.new"))
        for command in (["req", "-new", "-key", key, "-subj", "/CN=localhost", "-out", request],
                        ["x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-out", new]):
            subprocess.run(["openssl", *command], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        os.rename(new, os.path.join(folder, "tls.crt"))
        return
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    os.path.join(folder, "tls.key.new"), "-out", os.path.join(folder, "tls.crt.new"), "-days", "30", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name in ("tls.crt", "tls.key"):
        os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))


@test(smoke=True)
def a_certificate_in_files_may_change(t):
    with own_certificate(t) as folder:
        webhook = Webhook(t, [f"--cert-dir={folder}"]).ready()
        before = ssl.get_server_certificate(("127.0.0.1", webhook.port))
        make_pair(folder)

        def changed():
            assert ssl.get_server_certificate(("127.0.0.1", webhook.port)) != before, "it serves the old certificate"
        eventually(changed)
        expect(webhook.get("/readyz/?verbose")[0], 200, "status")


@test()
def an_expired_certificate_takes_readiness_back(t):
    with own_certificate(t) as folder:
        webhook = Webhook(t, [f"--cert-dir={folder}"]).ready()
        make_pair(folder, expired=True)

        def unready():
            status, text = webhook.get("/readyz/")
            expect(status, 500, "status of readyz")
            assert "[-]certificate failed: it has expired" in text, text
        eventually(unready)
        make_pair(folder)
        webhook.ready()


class Caller(threading.Thread):
    """Asks again and again, over one connection or a new one each time, until an answer says that the connection ends."""

    def __init__(self, port, keep):
        super().__init__(daemon=True)
        self.port, self.keep, self.answers, self.lost, self.told = port, keep, 0, [], False
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def ask(self, connection):
        connection.request("POST", "/validate-kubefedcluster", json.dumps(REVIEW), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200 or json.loads(answer.read())["response"]["uid"] != "u":
            self.lost.append(f"status {answer.status}")
        self.answers += 1
        self.told = answer.headers.get("Connection") == "close"
        return not self.told

    def run(self):
        connection = None
        while not self.told and not self.lost:
            fresh = connection is None
            connection = connection or http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self.context)
            try:
                if not self.ask(connection) or not self.keep:
                    connection = connection.close()
            except ConnectionRefusedError:
                return  # it is gone: the next replica's turn
            except (OSError, http.client.HTTPException) as e:
                if fresh:
                    self.lost.append(repr(e))
                connection = connection.close()  # one that was idle may end at any time: asked again


REVIEW = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
    "uid": "u", "operation": "CREATE", "resource": {"group": "core.kubefed.io", "version": "v1beta1", "resource": "kubefedclusters"},
    "object": cluster("one")}}


@test(smoke=True)
def no_request_is_lost_when_it_ends(t):
    """After SIGTERM it is not ready, serves on, tells every connection that it ends, finishes what has begun, and ends with 0."""
    with own_certificate(t) as folder:
        for _ in range(5):
            if ends_well(Webhook(t, [f"--cert-dir={folder}"]).ready()):
                return
    raise AssertionError("this machine is too slow to ask anything while it serves on")


def ends_well(webhook):
    """False: it could not be asked in the three seconds in which it serves on, or the two more for what has begun."""
    callers = [Caller(webhook.port, keep) for keep in (True, True, False, False)]
    body = json.dumps(REVIEW).encode()
    with socket.create_connection(("127.0.0.1", webhook.port)) as raw, callers[0].context.wrap_socket(raw) as half:
        half.sendall(b"POST /validate-kubefedcluster HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(body))
        assert b"100 Continue" in half.recv(200)
        for caller in callers:
            caller.start()
        eventually(lambda: [expect(c.answers > 10, True, "answered") for c in callers])
        began = time.monotonic()
        webhook.process.send_signal(signal.SIGTERM)
        eventually(lambda: expect("Received SIGTERM, shutting down" in webhook.log(), True, "it is told to end"))
        try:
            status, text = webhook.get("/readyz/")
        except AssertionError:
            if time.monotonic() - began < 2.5:
                raise
            return False
        expect(status, 500, "status of readyz")
        assert "[-]shutdown failed" in text, text
        if time.monotonic() - began > 4:
            return False
        half.sendall(body)
        answer = half.recv(4000)
        assert answer.startswith(b"HTTP/1.1 200 ") and b"connection: close" in answer, answer
    for caller in callers:
        caller.join(60)
        expect(caller.lost, [], "lost requests")
    assert any(c.told for c in callers), "nobody was told"
    expect(webhook.process.wait(20 * slowness()), 0, "exit status")
    return True


@test()
def a_second_signal_ends_it_at_once(t):
    def end_by_two():
        """Exit status, and whether the second signal came before the end that the first one leads to, three seconds later."""
        webhook = Webhook(t, [f"--cert-dir={folder}"]).ready()
        began = time.monotonic()
        webhook.process.send_signal(signal.SIGTERM)
        eventually(lambda: expect("Received SIGTERM, shutting down" in webhook.log(), True, "it is told to end"))
        webhook.process.send_signal(signal.SIGTERM)
        in_time = time.monotonic() - began < 2.5
        return webhook.process.wait(20 * slowness()), in_time
    with own_certificate(t) as folder:
        status, in_time = end_by_two()
        for _ in range(4):
            if not in_time:
                status, in_time = end_by_two()
        expect(status, 1, "exit status")


@test()
def missing_files_end_it_with_a_message(t):
    webhook = Webhook(t, ["--cert-dir=/nonexistent"])
    expect(webhook.process.wait(20 * slowness()), 255, "exit status")
    assert "/nonexistent/tls.crt" in webhook.log(), webhook.log()


@test(smoke=True)
def garbage_and_slow_peers_hurt_nobody(t):
    with own_certificate(t) as folder:
        webhook = Webhook(t, [f"--cert-dir={folder}"]).ready()
        silent = [socket.create_connection(("127.0.0.1", webhook.port)) for _ in range(300)]
        for number in range(30):
            with socket.create_connection(("127.0.0.1", webhook.port)) as s, contextlib.suppress(OSError):
                s.sendall(os.urandom(1000) if number % 2 else b"GET / HTTP/1.1\r\n\r\n")
        expect(webhook.get("/readyz/"), (200, "ok"), "readyz beside 300 silent peers")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", webhook.port)) as raw, context.wrap_socket(raw) as s:
            s.sendall(b"POST /validate-kubefedcluster HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n")
            assert b" 413 " in s.recv(200), "an oversized body is not refused"
        for s in silent:
            s.close()
        expect(webhook.get("/readyz/"), (200, "ok"), "readyz in the end")


@test()
def old_tls_is_refused(t):
    with own_certificate(t) as folder:
        webhook = Webhook(t, [f"--cert-dir={folder}"]).ready()
        for version, accepted in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
            result = subprocess.run(["openssl", "s_client", version, "-cipher", "ALL:@SECLEVEL=0", "-connect", f"127.0.0.1:{webhook.port}"],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            expect("Cipher is (NONE)" not in result.stdout, accepted, f"{version} accepted: {result.stdout[-500:]}")


@test()
def flags_that_are_wrong_are_named(t):
    for arguments, text in ((["--secure-port=70000"], 'invalid argument "70000" for "--secure-port" flag: want a number from 0 to 65535'),
                            (["--secure-port", "x"], 'invalid argument "x"'), (["--nonsense"], "unknown flag: --nonsense"),
                            (["--cert-dir=/a", "--cert-secret=b"], "exclude each other"), (["serve"], 'unexpected argument "serve"'),
                            (["--", "--help"], 'unexpected argument "--help"'),
                            (["--master=https://me:s3cret@host"], 'invalid argument "..." for "--master" flag: want a URL without'),
                            (["--logging-format=xml"], "want text or json")):
        result = subprocess.run([os.path.join(t.env.bin, "webhook"), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, timeout=20 * slowness())
        expect(result.returncode, 1, f"exit status of {arguments}")
        assert text in result.stderr, f"no {text!r} in {result.stderr!r}"
        assert "s3cret" not in result.stdout + result.stderr, "a password is shown"


@test()
def with_json_every_line_is_json(t):
    result = subprocess.run([os.path.join(t.env.bin, "webhook"), "--logging-format=json", "--cert-dir=/nowhere", "--metrics-addr=0"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20 * slowness())
    expect(result.returncode, 255, "exit status")
    assert "KubeFed webhook version: version.Info{" in json.loads(result.stdout)["msg"], result.stdout
    for line in result.stderr.splitlines():
        assert json.loads(line)["msg"], line
