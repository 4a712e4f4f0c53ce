"""A mutating admission webhook for tests: an HTTPS server on loopback that answers with a JSON patch."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import tempfile
import threading


def certificate(folder):
    """(path of certificate and key, CA as base64) for 127.0.0.1, self-signed."""
    path = os.path.join(folder, "webhook.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    path + ".key", "-out", path, "-days", "30", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(path, "rb") as f:
        return path, base64.b64encode(f.read()).decode()


class Server(http.server.ThreadingHTTPServer):
    """An API server opens a connection for each review at a time; those that wait are not turned away."""
    daemon_threads = True
    request_queue_size = 128


class Mutator:
    """Answers each review with the patch that patch_of(object) returns: a list of JSON patch operations."""

    def __init__(self, patch_of):
        self.reviews = 0
        counting = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with counting:
                    outer.reviews += 1
                answer = {"uid": review["request"]["uid"], "allowed": True}
                patch = patch_of(review["request"].get("object") or {})
                if patch:
                    answer.update(patchType="JSONPatch", patch=base64.b64encode(json.dumps(patch).encode()).decode())
                body = json.dumps({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": answer}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass
        self.folder = tempfile.TemporaryDirectory(prefix="kubefed-webhook-")
        path, self.ca = certificate(self.folder.name)
        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, path + ".key")
        # The handshake is the handler's: in accept() a client that dawdles would hold up all others.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def configuration(self, name, group, resource):
        """The MutatingWebhookConfiguration that sends creations and updates of the resource here."""
        return {"metadata": {"name": name}, "webhooks": [{
            "name": f"{name}.e2e.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
            "timeoutSeconds": 30,
            "clientConfig": {"url": self.url, "caBundle": self.ca}, "rules": [{
                "apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": [resource]}]}]}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.folder.cleanup()
