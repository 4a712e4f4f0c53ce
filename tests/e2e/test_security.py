"""What a running process gives away to others on its machine, and what it may still do."""
import json
import os
import tempfile

from harness import Controller, Skip, expect, kubeconfig_with, test
from test_webhook import Webhook, make_pair

NOBODY = 65534


def of_process(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as f:
        return f.read().decode(errors="replace")


def status(pid):
    return dict(line.split(":\t", 1) for line in of_process(pid, "status").splitlines() if ":\t" in line)


def sanitized(t):
    return "asan" in os.path.realpath(t.env.bin) or "tsan" in os.path.realpath(t.env.bin)


@test(smoke=True)
def no_secret_is_in_arguments_or_environment(t):
    plane, gadgets, _ = t.private(members=("member1",))
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])
    pid = plane.controller.process.pid
    for name in ("cmdline", "environ"):
        text = of_process(pid, name)
        for secret in t.env.secrets:
            assert secret not in text, f"a token is in /proc/{pid}/{name}"


@test()
def memory_is_hidden(t):
    """From others of the same user: a process that can be looked at belongs to its user in /proc, one that cannot belongs to root."""
    if os.getuid() != 0:
        raise Skip("only root can start a process of another user")
    with tempfile.TemporaryDirectory(prefix="kubefed-cert-", dir="/tmp") as folder:
        make_pair(folder)
        for path in (folder, *(os.path.join(folder, name) for name in os.listdir(folder))):
            os.chmod(path, 0o755)
        webhook = Webhook(t, [f"--cert-dir={folder}"], user=NOBODY).ready()
        pid = webhook.process.pid
        expect(int(status(pid)["Uid"].split()[0]), NOBODY, "user of the process")
        line = next(line for line in of_process(pid, "limits").splitlines() if line.startswith("Max core file size"))
        expect(line.split()[4:6], ["0", "0"], "limits of core files")
        if not sanitized(t):
            expect(os.stat(f"/proc/{pid}/environ").st_uid, 0, "owner of /proc/PID/environ")
        webhook.stop()


@test(smoke=True)
def rights_are_given_up(t):
    """And what is left is enough: an object goes through."""
    plane, gadgets, _ = t.private(members=("member1",))
    pid = plane.controller.process.pid
    expect(status(pid)["NoNewPrivs"].strip(), "1", "NoNewPrivs")
    if not sanitized(t):
        expect(status(pid)["Seccomp"].strip(), "2", "Seccomp (2: by a filter)")
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])


@test()
def a_credential_plugin_works_with_fewer_rights(t):
    """The user of the host's kubeconfig is a program: it may start others, and only the most dangerous system calls are refused."""
    plane, gadgets, _ = t.private(members=("member1",), start=False)
    credential = json.dumps({"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential",
                             "status": {"token": t.env.admin_token("host")}})
    secret = os.path.join(t.env.folder, t.unique("credential"))
    with open(secret, "w") as f:
        f.write(credential)

    def change(config):
        context = next(c["context"] for c in config["contexts"] if c["name"] == "host")
        config["current-context"] = "host"
        user = next(u for u in config["users"] if u["name"] == context["user"])
        user["user"] = {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "sh", "interactiveMode": "Never",
                                 "args": ["-c", f"cat {secret} | tr -d '\\r' | cat"]}}
    path = kubeconfig_with(t.env, t.env.folder, t.unique("plugin") + ".json", change)
    plane.controller = controller = Controller(plane, ["--kubeconfig", path])
    t.cleanup(lambda: controller.stop() if controller.alive() else None)
    controller.start()
    told = [line for line in controller.log().splitlines() if "System calls are not limited to a list" in line]
    expect(len(told), 1, "lines about it")
    assert "(exec)" in told[0], told
    pid = controller.process.pid
    expect(status(pid)["NoNewPrivs"].strip(), "1", "NoNewPrivs")
    if not sanitized(t):
        expect(status(pid)["Seccomp"].strip(), "2", "Seccomp (2: by a filter)")
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])
