"""One cluster: its files, its three processes, its life."""
import base64
import http.client
import json
import os
import random
import secrets
import shutil
import signal
import socket
import ssl
import threading
import time

import assets
import certificates
import processes
from state import Trouble

READY_SECONDS = 120
# Below the range from which the kernel takes ports for outgoing connections.
PORTS = (20000, 32000)
MEMORY = "/dev/shm"


# ---- making

def _is_free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def _free_ports(state, names):
    taken = {p for c in state.clusters.values() for p in c["ports"].values()}
    ports = {}
    for _ in range(2000):
        port = random.randrange(*PORTS)
        if port not in taken and _is_free(port):
            taken.add(port)
            ports[names[len(ports)]] = port
            if len(ports) == len(names):
                return ports
    raise Trouble("no free ports were found between %d and %d" % PORTS)


def _data_folder(state, name):
    """In memory when there is room: etcd writes to its disk all the time."""
    try:
        free = os.statvfs(MEMORY)
        if os.access(MEMORY, os.W_OK) and free.f_bavail * free.f_frsize > 512 << 20:
            return os.path.join(MEMORY, f"kubefed-lab-{state.mark}", name)
    except OSError:
        pass
    return state.path_of(name, "etcd")


def create(state, name, settings, programs):
    """The folder, keys and ports of a cluster; nothing when it exists."""
    state.programs = programs
    folder = state.path_of(name)
    if name not in state.clusters:
        state.clusters[name] = {"number": len(state.clusters), "ports": {}, "data": _data_folder(state, name), **settings}
    os.makedirs(folder, mode=0o700, exist_ok=True)
    state.write()
    certificates.make(folder, name)
    if not os.path.exists(os.path.join(folder, "tokens.csv")):
        token = secrets.token_urlsafe(32)
        _write_private(os.path.join(folder, "token"), token + "\n")
        _write_private(os.path.join(folder, "tokens.csv"), f'{token},lab-admin,lab-admin,"system:masters"\n')


def _write_private(path, text):
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as f:
        f.write(text)
    os.replace(path + ".new", path)


# ---- command lines

def _etcd(state, name, c, programs):
    client, peer = (f"http://127.0.0.1:{c['ports'][p]}" for p in ("etcd", "peer"))
    return [programs["etcd"], "--name", name, "--data-dir", c["data"], "--unsafe-no-fsync",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"{name}={peer}",
            "--heartbeat-interval", "100", "--election-timeout", "500", "--auto-compaction-retention", "5m",
            "--quota-backend-bytes", str(4 << 30)]


def _apiserver(state, name, c, programs):
    folder = state.path_of(name)
    return [programs["kube-apiserver"], f"--etcd-servers=http://127.0.0.1:{c['ports']['etcd']}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={c['ports']['apiserver']}",
            f"--tls-cert-file={folder}/apiserver.crt", f"--tls-private-key-file={folder}/apiserver.key",
            f"--client-ca-file={folder}/ca.crt", f"--token-auth-file={folder}/tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={folder}/service-account.key",
            f"--service-account-key-file={folder}/service-account.key",
            "--authorization-mode=RBAC", f"--service-cluster-ip-range=10.{10 + c['number']}.0.0/16",
            *c["apiserver_args"]]


def _controller_manager(state, name, c, programs):
    folder = state.path_of(name)
    kubeconfig = f"{folder}/kubeconfig"
    command = [programs["kube-controller-manager"], f"--kubeconfig={kubeconfig}",
               f"--authentication-kubeconfig={kubeconfig}", f"--authorization-kubeconfig={kubeconfig}",
               f"--service-account-private-key-file={folder}/service-account.key", f"--root-ca-file={folder}/ca.crt",
               "--leader-elect=false", "--bind-address=127.0.0.1", f"--secure-port={c['ports']['controllers']}",
               "--controllers=*" + ("" if c["token_secrets"] else ",-serviceaccount-token")]
    if assets.minor_version(programs["kube-controller-manager"]) < 23:
        command.append("--port=0")
    return command


# ---- kubeconfig

def _server(c):
    return f"https://127.0.0.1:{c['ports']['apiserver']}"


def _entry(state, name):
    """(cluster, user, context) of this cluster; a kubeconfig may be JSON."""
    def inline(file):
        with open(state.path_of(name, file), "rb") as f:
            return base64.b64encode(f.read()).decode()
    return ({"name": name, "cluster": {"server": _server(state.clusters[name]),
                                       "certificate-authority-data": inline("ca.crt")}},
            {"name": name, "user": {"client-certificate-data": inline("admin.crt"),
                                    "client-key-data": inline("admin.key")}},
            {"name": name, "context": {"cluster": name, "user": name}})


def _yaml(value, indent=""):
    """Enough YAML for a kubeconfig: nested maps and lists of maps of plain strings."""
    out = ""
    for key, inner in value.items():
        if isinstance(inner, dict):
            out += f"{indent}{key}:\n" + _yaml(inner, indent + "  ")
        elif isinstance(inner, list):
            out += f"{indent}{key}:\n"
            for item in inner:
                text = _yaml(item, indent + "  ")
                out += f"{indent}- {text[len(indent) + 2:]}"
        else:
            out += f"{indent}{key}: {inner}\n"
    return out


def _kubeconfig(state, names):
    entries = [_entry(state, name) for name in names]
    return _yaml({"apiVersion": "v1", "kind": "Config", "current-context": names[0],
                  "clusters": [e[0] for e in entries], "users": [e[1] for e in entries],
                  "contexts": [e[2] for e in entries]})


def write_kubeconfig(state):
    """DIR/kubeconfig with all contexts, the first one current. Its file stays untouched when nothing changed."""
    path, text = state.path_of("kubeconfig"), _kubeconfig(state, list(state.clusters))
    try:
        with open(path) as f:
            if f.read() == text:
                return
    except OSError:
        pass
    _write_private(path, text)


# ---- running

def _call(state, name, path):
    """(status, body) of a GET as the administrator."""
    c = state.clusters[name]
    context = ssl.create_default_context(cafile=state.path_of(name, "ca.crt"))
    with open(state.path_of(name, "token")) as f:
        token = f.read().strip()
    connection = http.client.HTTPSConnection("127.0.0.1", c["ports"]["apiserver"], context=context, timeout=5)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _answers(state, name, path):
    try:
        return _call(state, name, path)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def _tail(path, lines=12):
    try:
        with open(path, "rb") as f:
            return "\n".join("    " + line for line in f.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def _ended(state, name):
    """The first process of the cluster that should run but does not."""
    for program in ("etcd", "apiserver", "controllers"):
        key = f"{name}/{program}"
        if key in state.processes:
            processes._reap(state.processes[key]["pid"])
            if not processes.alive(state, key):
                return program
    return None


def _port_was_taken(state, name, program):
    return "address already in use" in _tail(state.path_of(name, program + ".log"))


def _prepare(state, name):
    c = state.clusters[name]
    os.makedirs(os.path.dirname(c["data"]), mode=0o700, exist_ok=True)
    if not c["ports"]:
        c["ports"] = _free_ports(state, ("etcd", "peer", "apiserver", "controllers"))
        state.write()
    _write_private(os.path.join(state.path_of(name), "kubeconfig"), _kubeconfig(state, [name]))


COMMANDS = {"etcd": _etcd, "apiserver": _apiserver, "controllers": _controller_manager}


def _launch(state, name, programs, program):
    """Starts one program of the cluster unless it runs."""
    if processes.alive(state, f"{name}/{program}"):
        return
    log = state.path_of(name, program + ".log")
    open(log, "w").close()
    environment = {} if program == "etcd" else {"GOGC": os.environ.get("LAB_GOGC", "30")}
    processes.launch(state, f"{name}/{program}", COMMANDS[program](state, name, state.clusters[name], programs), log, environment)


def _wait(state, name, path, problems, deadline):
    """Until the API server finds `path`, or a program of the cluster has ended."""
    while not _answers(state, name, path):
        program = _ended(state, name)
        if program:
            problems[name] = (f"{program} of cluster {name} ended; its log {state.path_of(name, program + '.log')} ends with:\n"
                              + _tail(state.path_of(name, program + ".log")), _port_was_taken(state, name, program))
            return
        if time.monotonic() > deadline:
            problems[name] = (f"cluster {name} ({_server(state.clusters[name])}) is not ready after {READY_SECONDS} s ({path}); "
                              f"the log of its API server ends with:\n" + _tail(state.path_of(name, "apiserver.log")), False)
            return
        time.sleep(0.05)


def _bring_up(state, names, programs, wanted, path, deadline):
    """Starts these programs in all clusters and waits. Returns {name: (what went wrong, a port was taken)}."""
    problems = {}
    for name in names:
        for program in wanted:
            _launch(state, name, programs, program)
    threads = [threading.Thread(target=_wait, args=(state, name, path, problems, deadline)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


def _bring_all_up(state, names, programs):
    """Kubernetes' controllers give up when no API server answers within 10 s, which a busy machine may need: they come second."""
    deadline = time.monotonic() + READY_SECONDS
    for name in names:
        _prepare(state, name)
    controlled = [name for name in names if state.clusters[name]["controller_manager"] and "kube-controller-manager" in programs]
    return (_bring_up(state, names, programs, ("etcd", "apiserver"), "/readyz", deadline) or
            _bring_up(state, controlled, programs, ("controllers",), "/api/v1/namespaces/default/serviceaccounts/default",
                      deadline))


def start(state, names, programs, say):
    """Starts clusters and waits until all of them are ready."""
    for name in names:
        state.cluster(name)
    fresh = {name for name in names if not state.clusters[name]["ports"]}
    for attempt in range(4):
        problems = _bring_all_up(state, names, programs)
        if not problems:
            return
        # Somebody was faster to take a port: a cluster that was never used may get others.
        again = [name for name, (_, taken) in problems.items() if taken and name in fresh]
        if len(again) < len(problems) or attempt == 3:
            raise Trouble("\n".join(text for text, _ in problems.values()))
        for name in again:
            say(f"a port of cluster {name} was taken meanwhile; trying others")
            stop(state, name)
            shutil.rmtree(state.clusters[name]["data"], ignore_errors=True)
            state.clusters[name]["ports"] = {}


def _pids(state, name):
    found = {p: processes.alive(state, f"{name}/{p}") for p in ("controllers", "apiserver", "etcd")}
    return {program: pid for program, pid in found.items() if pid}


def stop(state, name):
    """The data stays. Only etcd has something to finish."""
    state.cluster(name)
    pids = _pids(state, name)
    processes.end([pid for program, pid in pids.items() if program != "etcd"], gently=False)
    processes.end([pid for program, pid in pids.items() if program == "etcd"], gently=True)
    for program in ("controllers", "apiserver", "etcd"):
        state.processes.pop(f"{name}/{program}", None)
    state.write()


def pause(state, name, paused):
    state.cluster(name)
    for pid in _pids(state, name).values():
        os.kill(pid, signal.SIGSTOP if paused else signal.SIGCONT)


def down(state):
    """Ends every process of the lab, known or found by its mark, and removes its data; logs stay."""
    known = [pid for pid in (processes.alive(state, key) for key in state.processes) if pid and pid != os.getpid()]
    processes.end(list({*known, *processes.marked(state)}), gently=False)
    shutil.rmtree(os.path.join(MEMORY, f"kubefed-lab-{state.mark}"), ignore_errors=True)
    for name, c in state.clusters.items():
        shutil.rmtree(c["data"], ignore_errors=True)
        for file in ("admin.key", "apiserver.key", "ca.key", "service-account.key", "token", "tokens.csv", "kubeconfig",
                     "admin.crt", "apiserver.crt", "ca.crt", "ca.srl"):
            _remove(state.path_of(name, file))
    for file in ("kubeconfig", "state.json"):
        _remove(state.path_of(file))


def _remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass


# ---- looking

def _process_state(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def describe(state, name):
    c = state.clusters[name]
    pids = _pids(state, name)
    version = None
    if "apiserver" not in pids:
        words = "stopped"
    elif _process_state(pids["apiserver"]) == "T":
        words = "paused"
    elif _answers(state, name, "/readyz"):
        words = "ready"
        version = json.loads(_call(state, name, "/version")[1])["gitVersion"]
    else:
        words = "not ready"
    return {"name": name, "state": words, "version": version, "server": _server(c) if c["ports"] else "-", "pids": pids}
