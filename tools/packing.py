"""What `make image`, `make deb` and `make dist` share: a clean copy of the tree, the binary that is packaged, and what the
Debian packages know of the libraries that it needs.

Everything is made from the commit, not from the files as they lie there, so that who has the commit, or the archive that
`make dist` makes of it, gets the same bytes.
"""
import filecmp
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# What the release is compiled with beside meson's own options. The folder of the build is no part of the result.
HARDENING = ["-D_FORTIFY_SOURCE=2"]
LINKING = ["-Wl,-z,relro", "-Wl,-z,now", "-Wl,--as-needed"]


class Trouble(Exception):
    """Said to whoever runs the program, without a trace."""


def run(command, **kwargs):
    kwargs.setdefault("check", True)
    kwargs.setdefault("text", True)
    try:
        return subprocess.run(command, **kwargs)
    except FileNotFoundError as e:
        raise Trouble(f"{command[0]} is missing; next: tools/install-deps package") from e
    except subprocess.CalledProcessError as e:
        raise Trouble(f"{' '.join(map(str, command[:3]))} ended with status {e.returncode}\n{(e.stderr or e.stdout or '')[-4000:]}") from e


def output_of(command, **kwargs):
    return run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs).stdout


def main(function):
    """Runs a program of this family."""
    os.umask(0o022)
    try:
        sys.exit(function())
    except Trouble as e:
        print(f"{os.path.relpath(sys.argv[0], TOP)}: {e}", file=sys.stderr)
        sys.exit(1)


def clean_environment(epoch, **more):
    """Nothing of the caller's that could end up in what is built."""
    keep = ("PATH", "HOME", "TMPDIR", "CC", "LD_LIBRARY_PATH")
    env = {name: os.environ[name] for name in keep if name in os.environ}
    env.update(LC_ALL="C.UTF-8", TZ="UTC", SOURCE_DATE_EPOCH=str(epoch), PYTHONDONTWRITEBYTECODE="1")
    env.update(more)
    return env


# ---- folders that are emptied

MARK = ".made-by-kubefed"
BUILDER = "tools/packing.py"  # the owner of folders of build_release


def own_folder(folder, owner):
    """Makes sure that `folder` exists and is one of `owner`'s, a program of this family, so that it may be emptied: it is new or empty,
    or carries the owner's mark from an earlier run. Trouble otherwise, and nothing is changed."""
    mark = os.path.join(folder, MARK)
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise Trouble(f"{folder} is no folder; next: give another one")
    if os.path.isdir(folder) and os.listdir(folder):
        made_by = None
        if os.path.isfile(mark):
            with open(mark, encoding="utf-8") as f:
                made_by = f.read().strip()
        if made_by != owner:
            raise Trouble(f"{folder} is not empty, and {owner} did not make it: its content is not removed; next: give another folder, "
                          "or remove it yourself")
    os.makedirs(folder, exist_ok=True)
    with open(mark, "w", encoding="utf-8") as f:
        f.write(owner + "\n")


def empty_folder(folder):
    """Removes what is in a folder of one's own (own_folder), but the mark."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        elif entry.name != MARK:
            os.remove(entry.path)


# ---- the tree

def version():
    with open(os.path.join(TOP, "meson.build"), encoding="utf-8") as f:
        return re.search(r"^\s*version: '([^']+)'", f.read(), re.M).group(1)


def revision(tree=TOP):
    """(commit, state, seconds since 1970); seconds are never 0, because archives do not like it."""
    commit, state, seconds = output_of([os.path.join(tree, "tools", "revision")]).split()
    return commit, state, int(seconds) or 315532800  # 1980, when neither git nor an archive says it


def git(*arguments, **kwargs):
    return run(["git", "-c", "safe.directory=*", "-c", "tar.umask=0022", "-C", TOP, *arguments], **kwargs)


def in_git():
    return os.path.exists(os.path.join(TOP, ".git")) and shutil.which("git") is not None


def export_tree(folder):
    """A clean copy of the commit in `folder`, which must not exist; REVISION in it says which commit. Without git: of the tree."""
    os.makedirs(folder)
    if in_git():
        if revision()[1] == "dirty":
            print("note: changes that are not committed are not in it", flush=True)
        with subprocess.Popen(["git", "-c", "safe.directory=*", "-c", "tar.umask=0022", "-C", TOP, "archive", "HEAD"],
                              stdout=subprocess.PIPE) as archive:
            with tarfile.open(fileobj=archive.stdout, mode="r|") as tar:
                tar.extractall(folder)
        if archive.returncode:
            raise Trouble("git archive failed")
    else:
        skip = shutil.ignore_patterns("build", "__pycache__", ".git")
        shutil.copytree(TOP, folder, symlinks=True, dirs_exist_ok=True,
                        ignore=lambda at, names: skip(at, names) if at == TOP else {"__pycache__"} & set(names))
    # The same tree from both: what git does not keep is made the same.
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)


def same_file(a, b):
    if os.path.islink(a) or os.path.islink(b):
        return os.path.islink(a) and os.path.islink(b) and os.readlink(a) == os.readlink(b)
    return os.path.isfile(b) and os.stat(a).st_mode == os.stat(b).st_mode and filecmp.cmp(a, b, shallow=False)


def update_tree(tree):
    """Makes `tree` a copy of the commit and leaves alone what is the same already. Times of an exported tree are those of commits, by
    which ninja cannot tell what is newer; so what is new gets the time of now."""
    fresh = tree + ".new"
    shutil.rmtree(fresh, ignore_errors=True)
    export_tree(fresh)
    keep = set()
    for base, _, names in os.walk(fresh):
        folder = os.path.join(tree, os.path.relpath(base, fresh))
        os.makedirs(folder, exist_ok=True)
        for name in names:
            new, old = os.path.join(base, name), os.path.normpath(os.path.join(folder, name))
            keep.add(old)
            if not same_file(new, old):
                if not os.path.islink(new):
                    os.utime(new)
                os.replace(new, old)
    for base, _, names in os.walk(tree):
        for name in names:
            if os.path.join(base, name) not in keep:
                os.remove(os.path.join(base, name))
    shutil.rmtree(fresh)


def build_release(folder, jobs=None):
    """Builds the program that is packaged in `folder`; returns (stripped binary, its debug information, the tree)."""
    own_folder(folder, BUILDER)
    tree, objects, binary = (os.path.join(folder, name) for name in ("tree", "objects", "kubefed"))
    flags = [f"-ffile-prefix-map={os.path.abspath(folder)}=.", *HARDENING]
    setup = ["meson", "setup", "-Dtests=false", "-Dwerror=false", "-Dbuildtype=debugoptimized", "-Db_pie=true", "--wrap-mode=nodownload",
             f"-Dc_args={flags}", f"-Dc_link_args={LINKING}", objects, tree]
    stamp = os.path.join(objects, "set-up-with")
    if not os.path.exists(stamp) or open(stamp, encoding="utf-8").read() != repr(setup):
        empty_folder(folder)
    update_tree(tree)
    env = clean_environment(revision()[2])
    if not os.path.exists(stamp):
        run(setup, env=env, stdout=subprocess.PIPE)
        with open(stamp, "w", encoding="utf-8") as f:
            f.write(repr(setup))
    run(["ninja", "--quiet", "-C", objects, *([f"-j{jobs}"] if jobs else []), "src/main/kubefed"], env=env)
    built = os.path.join(objects, "src", "main", "kubefed")
    debug = binary + ".debug"
    run(["objcopy", "--only-keep-debug", built, debug])
    run(["strip", "--strip-all", "--remove-section=.comment", "-o", binary, built])
    run(["objcopy", f"--add-gnu-debuglink={debug}", binary])
    os.chmod(debug, 0o644)
    os.chmod(binary, 0o755)
    return binary, debug, tree


# ---- what the binary needs

def libraries(binary):
    """{soname: path} of the shared libraries that the binary needs, the dynamic loader included."""
    found = {}
    for line in output_of(["ldd", binary], env={**os.environ, "LC_ALL": "C"}).splitlines():
        match = re.match(r"\s*(?:(\S+) => )?(/\S+) \(0x", line)
        if "not found" in line:
            raise Trouble(f"a library is missing: {line.strip()}")
        if match:
            found[match.group(1) or match.group(2)] = match.group(2)
    if not found:
        raise Trouble(f"ldd says nothing about {binary}")
    return dict(sorted(found.items()))


@functools.lru_cache(None)  # dpkg reads all its lists each time
def owner(path):
    """The Debian package (with :architecture where dpkg says it) of a file."""
    tried = {path, os.path.realpath(path)}
    for one in list(tried):  # dpkg knows files by the names from before /lib became a link
        tried.add(re.sub(r"^/usr(?=/lib)", "", one))
        tried.add("/usr" + one if one.startswith("/lib") else one)
    done = subprocess.run(["dpkg-query", "-S", *sorted(tried)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    for line in done.stdout.splitlines():
        names, _, name = line.partition(": ")
        if name in tried and not names.startswith("diversion "):
            return names.split(", ")[0]
    raise Trouble(f"no Debian package owns {path}")


@functools.lru_cache(None)
def package(name):
    """What dpkg says about an installed package."""
    fields = ("Package", "Version", "Architecture", "source:Package", "source:Version", "Maintainer", "Homepage")
    text = output_of(["dpkg-query", "-W", "-f", "\n".join("${%s}" % field for field in fields), name])
    values = dict(zip(fields, text.split("\n")))
    values["License"] = license_of(values["Package"])
    return values


def copyright_file(name):
    return os.path.realpath(f"/usr/share/doc/{name}/copyright")


# Debian's names of licenses and those of SPDX, as far as they occur here.
SPDX_NAMES = {
    "Apache-2.0": "Apache-2.0", "BSD-2-clause": "BSD-2-Clause", "BSD-3-clause": "BSD-3-Clause", "Expat": "MIT", "ISC": "ISC",
    "GPL-2": "GPL-2.0-only", "GPL-2+": "GPL-2.0-or-later", "LGPL-2.1": "LGPL-2.1-only", "LGPL-2.1+": "LGPL-2.1-or-later",
    "MPL-2.0": "MPL-2.0", "Zlib": "Zlib",
}


def license_of(name):
    """The license of a package's own files, by its machine-readable copyright file (Files: *); NOASSERTION without one."""
    try:
        with open(copyright_file(name), encoding="utf-8", errors="replace") as f:
            text = f.read()
    except OSError:
        return "NOASSERTION"
    if "copyright-format/1.0" not in text[:200]:
        return "NOASSERTION"
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.M))
        if fields.get("Files", "").split()[:1] in (["*"], ["mozilla/certdata.txt"]) and "License" in fields:
            return SPDX_NAMES.get(fields["License"].splitlines()[0].strip(), "NOASSERTION")
    return "NOASSERTION"


def digest(path, kind="sha256"):
    h = hashlib.new(kind)
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def size(n):
    return f"{n:,} bytes ({n / 1e6:.2f} MB)"
