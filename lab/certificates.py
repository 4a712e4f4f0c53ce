"""The keys of one cluster: a CA, the API server's certificate, the administrator's, and the key that signs the tokens of
service accounts. Made with openssl, for 10 years, readable by their owner only."""
import os
import subprocess

from state import Trouble

SERVER_NAMES = "IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"


def _openssl(folder, *arguments):
    result = subprocess.run(["openssl", *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        raise Trouble(f"openssl {arguments[0]} failed in {folder}:\n{result.stdout.strip()}")


def _signed(folder, name, subject, extension):
    with open(os.path.join(folder, name + ".ext"), "w") as f:
        f.write(extension + "\n")
    _openssl(folder, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", name + ".key", "-out", name + ".csr", "-subj", subject)
    _openssl(folder, "x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
             "-out", name + ".crt", "-days", "3650", "-extfile", name + ".ext")
    os.unlink(os.path.join(folder, name + ".csr"))
    os.unlink(os.path.join(folder, name + ".ext"))


def make(folder, cluster):
    """Makes what is missing in `folder`."""
    if os.path.exists(os.path.join(folder, "service-account.key")):
        return
    _openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", "ca.key", "-out", "ca.crt", "-days", "3650", "-subj", f"/CN=lab CA of {cluster}")
    _signed(folder, "apiserver", "/CN=kube-apiserver", f"subjectAltName={SERVER_NAMES}\nextendedKeyUsage=serverAuth")
    _signed(folder, "admin", "/O=system:masters/CN=lab-admin", "extendedKeyUsage=clientAuth")
    _openssl(folder, "genrsa", "-out", "service-account.key.new", "2048")
    os.replace(os.path.join(folder, "service-account.key.new"), os.path.join(folder, "service-account.key"))
