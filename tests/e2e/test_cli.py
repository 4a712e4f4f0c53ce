"""kubefedctl as a program: version, help, exit codes, bad kubeconfigs (api-and-cli.md 3.1, 3.9)."""
import os
import subprocess

from harness import expect, k, kubeconfig_with, run_ctl, test


@test(smoke=True)
def version_prints_the_version_struct(t):
    result = run_ctl(t.env, "version", kubeconfig=False)
    expect(result.returncode, 0, "exit status")
    assert result.stdout.startswith('kubefedctl version: version.Info{Version:"v'), result.stdout
    for key in ("GitCommit", "GitTreeState", "BuildDate", "GoVersion", "Compiler", "Platform"):
        assert f'{key}:"' in result.stdout, f"{key} is missing in {result.stdout}"
    assert result.stdout.endswith("}\n"), result.stdout


@test()
def the_controller_manager_prints_its_version_and_ends(t):
    result = subprocess.run([os.path.join(t.env.bin, "controller-manager"), "--version"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, timeout=90)
    expect(result.returncode, 0, "exit status")
    assert result.stdout.startswith("KubeFed controller-manager version: version.Info{"), result.stdout


@test()
def help_lists_the_verbs_and_exits_0(t):
    for arguments in ((), ("help",), ("--help",), ("-h",)):
        result = run_ctl(t.env, *arguments, kubeconfig=False)
        expect(result.returncode, 0, f"exit status of kubefedctl {arguments}")
        for verb in ("join", "unjoin", "enable", "disable", "federate", "version"):
            assert verb in result.stdout, f"{verb} is missing in the help of kubefedctl {arguments}"


@test()
def each_verb_has_help(t):
    for verb in ("join", "unjoin", "enable", "disable", "federate", "version"):
        for arguments in ((verb, "--help"), ("help", verb)):
            result = run_ctl(t.env, *arguments, kubeconfig=False)
            expect(result.returncode, 0, f"exit status of kubefedctl {arguments}")
            assert verb in result.stdout and "Usage" in result.stdout, result.stdout


@test(smoke=True)
def usage_errors_exit_1_with_usage(t):
    result = run_ctl(t.env, "join", "--no-such-flag", kubeconfig=False)
    expect(result.returncode, 1, "exit status for an unknown flag")
    assert "Error: unknown flag: --no-such-flag" in result.stderr, result.stderr
    result = run_ctl(t.env, "jion", kubeconfig=False)
    expect(result.returncode, 1, "exit status for an unknown verb")
    assert 'unknown command "jion"' in result.stderr and "join" in result.stderr, result.stderr
    expect(result.stdout, "", "stdout")


@test(smoke=True)
def command_errors_exit_255_with_the_error(t):
    for verb, text in (("join", "NAME is required"), ("unjoin", "NAME is required"), ("enable", "NAME is required"),
                       ("disable", "NAME is required"), ("federate", "TYPE-NAME is required")):
        result = run_ctl(t.env, verb)
        expect(result.returncode, 255, f"exit status of {verb} without arguments")
        assert f"Error: {text}" in result.stderr, result.stderr
        expect(result.stdout, "", "stdout")
        assert len(result.stderr.splitlines()) < 12, f"too long an error:\n{result.stderr}"


@test()
def underscores_in_flags_become_dashes_with_a_warning(t):
    result = run_ctl(t.env, "enable", "configmaps", "--host_cluster_context=host", "-o", "yaml")
    expect(result.returncode, 0, "exit status")
    assert "host_cluster_context" in result.stderr or "host-cluster-context" in result.stderr, \
        f"no warning: {result.stderr}"


@test()
def an_unknown_host_context_is_named(t):
    for verb in (("join", "member1"), ("enable", "configmaps"), ("federate", "configmap", "x")):
        result = run_ctl(t.env, *verb, "--host-cluster-context", "nowhere")
        expect(result.returncode, 255, f"exit status of {verb}")
        assert 'context "nowhere" does not exist' in result.stderr, result.stderr


@test()
def an_unreadable_kubeconfig_is_named(t):
    result = run_ctl(t.env, "enable", "configmaps", kubeconfig="/no/such/kubeconfig")
    expect(result.returncode, 255, "exit status")
    assert "/no/such/kubeconfig" in result.stderr, result.stderr


@test(smoke=True)
def a_half_written_kubeconfig_is_named(t):
    path = os.path.join(t.env.folder, t.unique("half") + ".yaml")
    with open(t.env.kubeconfig) as f:
        text = f.read()
    for cut in (len(text) // 3, len(text) // 2, len(text) * 9 // 10, 10, 1, 0):
        with open(path, "w") as f:
            f.write(text[:cut] + ("" if cut != 10 else "\n\t- : ]["))
        # What is left may be enough for the host: nothing is written there.
        result = run_ctl(t.env, "enable", "configmaps", "-o", "yaml", "--host-cluster-context", "host", kubeconfig=path)
        assert result.returncode in (0, 255), f"exit status {result.returncode}\n{result.stderr}"
        assert result.returncode == 0 or "Error: " in result.stderr, result.stderr


@test()
def a_missing_credential_file_is_named(t):
    def change(config):
        for user in config["users"]:
            user["user"] = {"client-certificate": "/no/such/cert.pem", "client-key": "/no/such/key.pem"}
    path = kubeconfig_with(t.env, t.env.folder, t.unique("cred") + ".json", change)
    result = run_ctl(t.env, "enable", "configmaps", "--host-cluster-context", "host", kubeconfig=path)
    expect(result.returncode, 255, "exit status")
    assert "/no/such/cert.pem" in result.stderr, result.stderr


@test()
def a_bad_token_is_reported_as_unauthorized(t):
    def change(config):
        for user in config["users"]:
            user["user"] = {"token": "not-a-token-that-anyone-knows"}
    path = kubeconfig_with(t.env, t.env.folder, t.unique("token") + ".json", change)
    result = run_ctl(t.env, "enable", "configmaps", "--host-cluster-context", "host", kubeconfig=path)
    expect(result.returncode, 255, "exit status")
    assert "nauthorized" in result.stderr and "not-a-token" not in result.stderr, result.stderr


@test()
def the_kubeconfig_variable_is_a_list(t):
    host = kubeconfig_with(t.env, t.env.folder, t.unique("list") + ".json",
                           lambda c: c.update(contexts=[x for x in c["contexts"] if x["name"] == "host"]))
    member = kubeconfig_with(t.env, t.env.folder, t.unique("list") + ".json",
                             lambda c: c.update(contexts=[x for x in c["contexts"] if x["name"] == "member1"]))
    for context in ("host", "member1"):
        result = run_ctl(t.env, "enable", "configmaps", "-o", "yaml", "--host-cluster-context", context, kubeconfig=False,
                         environment={"KUBECONFIG": f"{host}:{member}:/no/such/file"})
        expect(result.returncode, 0, f"exit status with context {context}: {result.stderr}")


@test()
def dry_runs_write_nothing(t):
    plane = t.plane("dry", "Cluster")
    before = t.host.get(k.NAMESPACES, None, plane.namespace)["metadata"]["resourceVersion"]
    plane.ctl("enable", "runtimeclasses", "--dry-run")      # no test enables this type
    plane.ctl("join", "member1", "--dry-run", "--host-cluster-name", plane.namespace)
    expect(t.host.list(k.FTC, plane.namespace), [], "FederatedTypeConfigs")
    expect(t.host.list(k.KFC, plane.namespace), [], "KubeFedClusters")
    expect(t.host.find(k.CRDS, None, "federatedruntimeclasses.types.kubefed.io"), None, "CRD")
    expect(t.member1.find(k.NAMESPACES, None, plane.namespace), None, "namespace in the member")
    expect(t.host.get(k.NAMESPACES, None, plane.namespace)["metadata"]["resourceVersion"], before, "namespace version")
