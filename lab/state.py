"""What a lab consists of, in DIR/state.json: written before and after every process starts, so that whatever is killed
when, `down` finds everything."""
import fcntl
import json
import os
import secrets


class Trouble(Exception):
    """Something the reader can act upon."""


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as f:
        return f.read().strip()


class State:
    """The state of one lab, locked while in use.

    clusters   {name: {"ports": {...}, "data": folder of etcd, "token_secrets", "controller_manager", "apiserver_args"}}
    processes  {"<cluster>/<program>": {"pid", "start"}}
    programs   {program: path}
    mark       in the environment of every process of this lab
    """

    def __init__(self, folder, must_exist=False):
        self.dir = folder
        self.path = os.path.join(folder, "state.json")
        self.must_exist = must_exist

    def __enter__(self):
        if self.must_exist and not os.path.exists(self.path):
            raise Trouble(f"there is no lab in {self.dir}; `lab/lab up --dir {self.dir}` starts one")
        try:
            os.makedirs(self.dir, exist_ok=True)
            self._lock = open(self.path_of(".lock"), "w")
        except OSError as e:
            raise Trouble(f"{self.dir} cannot be used: {e.strerror}; choose another folder with --dir") from None
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._read()
        return self

    def __exit__(self, *unused):
        self._lock.close()

    def path_of(self, *parts):
        return os.path.join(self.dir, *parts)

    def _read(self):
        try:
            with open(self.path) as f:
                known = json.load(f)
        except FileNotFoundError:
            known = {}
        except (OSError, ValueError) as e:
            raise Trouble(f"{self.path} cannot be read: {e}; remove {self.dir} if nothing of it runs") from None
        self.is_new = "clusters" not in known
        self.mark = known.get("mark") or secrets.token_hex(8)
        self.clusters = known.get("clusters", {})
        self.processes = known.get("processes", {})
        self.programs = known.get("programs", {})
        if known and known.get("boot") != boot_id():
            # Nothing of it survived the restart of the machine; what was in memory neither.
            self.processes = {}

    def write(self):
        new = self.path + ".new"
        with open(new, "w") as f:
            json.dump({"boot": boot_id(), "mark": self.mark, "programs": self.programs, "clusters": self.clusters,
                       "processes": self.processes}, f, indent=2)
            f.write("\n")
        os.replace(new, self.path)

    def cluster(self, name):
        if name not in self.clusters:
            raise Trouble(f"there is no cluster '{name}' in this lab (there are: {', '.join(self.clusters) or 'none'})")
        return self.clusters[name]
