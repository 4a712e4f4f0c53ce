"""Where the programs of Kubernetes are: KUBEBUILDER_ASSETS, what lab/build-kubernetes made, or PATH."""
import os
import re
import shutil
import subprocess

from state import Trouble

HERE = os.path.dirname(os.path.abspath(__file__))
VERSION = "1.20.2"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")


def cache_folder():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "kubefed", f"kubernetes-{VERSION}")


def _given():
    """KUBEBUILDER_ASSETS: the convention of the field for such folders."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder:
        return None
    found = {p: os.path.join(folder, p) for p in PROGRAMS if os.access(os.path.join(folder, p), os.X_OK)}
    if "kube-apiserver" not in found:
        raise Trouble(f"KUBEBUILDER_ASSETS={folder} has no kube-apiserver that can be run; unset it or correct it")
    return found


def _built(say):
    folder = cache_folder()
    if not os.path.exists(os.path.join(folder, "built")):
        say(f"Kubernetes {VERSION} is not built yet; that takes some minutes, once")
        if subprocess.run([os.path.join(HERE, "build-kubernetes")], stdout=subprocess.DEVNULL).returncode != 0:
            raise Trouble("Kubernetes could not be built; the messages above say why")
    return {p: os.path.join(folder, p) for p in PROGRAMS[1:]}


def find(say):
    """{program: path}; kube-controller-manager may be absent."""
    programs = _given() or _built(say)
    if "etcd" not in programs:
        etcd = shutil.which("etcd", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin:/usr/local/bin")
        if not etcd:
            raise Trouble("etcd is missing; `tools/install-deps lab` installs it (package etcd-server)")
        programs["etcd"] = etcd
    if not shutil.which("openssl"):
        raise Trouble("openssl is missing; `tools/install-deps lab` installs it")
    return programs


def of_state(state):
    return state.programs


def minor_version(program):
    """1.20.2 -> 20."""
    answer = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            stdin=subprocess.DEVNULL).stdout
    match = re.search(r"v1\.(\d+)", answer)
    if not match:
        raise Trouble(f"{program} --version does not tell a Kubernetes version: {answer.strip()[:200]}")
    return int(match.group(1))
