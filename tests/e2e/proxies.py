"""Between the control plane and a member, on loopback: forward proxies, and gateways that end TLS; certificates for both.

ForwardProxy   HTTP CONNECT, the same over TLS, or SOCKS5; with a password if wanted; with faults
Gateway        a server with a certificate and a path prefix of its own that passes requests on to an API server
Authority      a certificate authority; its certificates may be expired, not yet valid, or for other names
"""
import base64
import http.client
import http.server
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse


class ForwardProxy:
    """url tells how it is reached; targets lists what it was asked for, refused counts what it did not do.

    broken: "refuse"   answers no
            "hang"     says nothing
            "close"    ends in the middle of its answer
            "garbage"  answers with something else
            "endless"  answers with a head that does not end
    frozen: no byte moves in the tunnels that there are
    held:   what the members say is kept back, and goes out together at the end
    piece:  the most bytes that go out at once
    hosts:  {name: address} of what only the proxy can look up
    """

    def __init__(self, scheme, certificate=None, user=None, password=None):
        self.scheme, self.targets, self.refused = scheme, [], 0
        self.user, self.password = user, password
        self.broken, self.frozen, self.held, self.piece = None, False, False, 65536
        self.tunnels, self.hosts = set(), {}
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate, certificate + ".key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        login = f"{user}:{password}@" if user else ""
        self.port = self._listener.getsockname()[1]
        self.url = f"{scheme}://{login}127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self.cut()

    def cut(self):
        """Ends all tunnels; returns how many there were."""
        tunnels = list(self.tunnels)
        for tunnel in tunnels:
            tunnel.ended = True
        return len(tunnels)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            client.settimeout(30)
            if self._context:
                client = self._context.wrap_socket(client, server_side=True)
            if self.broken == "hang":
                client.recv(65536)
                threading.Event().wait(20)
                return
            target = self._socks(client) if self.scheme == "socks5" else self._connect(client)
            if not target:
                self.refused += 1
                client.close()
                return
            self.targets.append(f"{target[0]}:{target[1]}")
            address = self.hosts.get(target[0], target[0]), target[1]
            tunnel = Tunnel(self, client, socket.create_connection(address))
            self.tunnels.add(tunnel)
            try:
                tunnel.run()
            finally:
                self.tunnels.discard(tunnel)
        except (OSError, ValueError, IndexError):
            client.close()

    @staticmethod
    def _read(client, size):
        data = b""
        while len(data) < size:
            more = client.recv(size - len(data))
            if not more:
                raise OSError("the client is gone")
            data += more
        return data

    def _connect(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(65536)
            if not more:
                raise OSError("the client is gone")
            head += more
        if self.broken in ("close", "garbage"):
            client.sendall(b"HTTP/1.1 200 Conn" if self.broken == "close" else b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
            return None
        if self.broken == "endless":
            self._endless(client)
        want = b"proxy-authorization: basic " + base64.b64encode(f"{self.user}:{self.password}".encode())
        if self.user and want.lower() not in head.lower():
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return None
        if self.broken == "refuse":
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return None
        host, port = head.split()[1].decode().rsplit(":", 1)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return host.strip("[]"), int(port)

    @staticmethod
    def _endless(client):
        """Ends when the client has had enough, with OSError."""
        client.sendall(b"HTTP/1.1 200 Connection established\r\n")
        while True:
            client.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")

    def _greeting(self, client, size):
        """What comes first names the version of SOCKS; a TLS client that is at the wrong proxy does not."""
        data = self._read(client, size)
        if data[0] != 5:
            raise ValueError(f"version {data[0]} of SOCKS")
        return data

    def _socks(self, client):
        methods = self._read(client, self._greeting(client, 2)[1])
        if self.broken == "garbage":
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return None
        if self.user and 2 in methods:
            client.sendall(b"\x05\x02")
            user = self._read(client, self._read(client, 2)[1])
            password = self._read(client, self._read(client, 1)[0])
            good = (user.decode(), password.decode()) == (self.user, self.password)
            client.sendall(b"\x01" + (b"\x00" if good else b"\x01"))
            if not good:
                return None
        elif self.user:
            client.sendall(b"\x05\xff")
            return None
        else:
            client.sendall(b"\x05\x00")
        return self._socks_request(client)

    def _socks_request(self, client):
        kind = self._greeting(client, 4)[3]
        if kind == 1:
            host = socket.inet_ntop(socket.AF_INET, self._read(client, 4))
        elif kind == 4:
            host = socket.inet_ntop(socket.AF_INET6, self._read(client, 16))
        else:
            host = self._read(client, self._read(client, 1)[0]).decode()
        port = struct.unpack(">H", self._read(client, 2))[0]
        if self.broken == "close":
            return None
        client.sendall(b"\x05" + (b"\x05" if self.broken == "refuse" else b"\x00") + b"\x00\x01\x00\x00\x00\x00\x00\x00")
        return None if self.broken == "refuse" else (host, port)


class Tunnel:
    """Moves bytes between two sockets in one thread: a TLS socket must not be read and written at the same time."""

    LIMIT = 1 << 20

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.ended = False
        self._waiting = {client: b"", server: b""}      # what goes out there

    def run(self):
        for s in (self.client, self.server):
            s.setblocking(False)
        try:
            while not self.ended:
                self._step()
        except OSError:
            pass
        for s in (self.client, self.server):
            s.close()

    def _step(self):
        if self.proxy.frozen:
            time.sleep(0.02)
            return
        decrypted = isinstance(self.client, ssl.SSLSocket) and self.client.pending() > 0
        readable = [s for s in (self.client, self.server) if len(self._waiting[self._other(s)]) < self.LIMIT]
        writable = [s for s in (self.client, self.server) if self._waiting[s] and not self._is_held(s)]
        select.select(readable, writable, [], 0 if decrypted else 0.1)
        for s in readable:
            self._receive(s)
        for s in writable:
            self._send(s)

    def _is_held(self, sink):
        return self.proxy.held and sink is self.client

    def _other(self, s):
        return self.server if s is self.client else self.client

    def _receive(self, source):
        try:
            data = source.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        if not data:
            self.ended = True
        self._waiting[self._other(source)] += data

    def _send(self, sink):
        try:
            sent = sink.send(self._waiting[sink][:self.proxy.piece])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        self._waiting[sink] = self._waiting[sink][sent:]


class Gateway:
    """Ends TLS with a certificate of its own and passes requests below `prefix` on, with their bearer token, to `api`.

    requests  [(method, path without prefix, query)] of all that came
    strangers paths that came without the prefix; they are answered with 404
    refuse    a function of method, path and query that gives the status to refuse with, or None
    clock     how many seconds its clock is ahead
    """

    def __init__(self, api, ca, certificate, prefix=""):
        self.clock = 0
        self.requests, self.strangers, self.refuse, self.prefix = [], [], lambda *_: None, prefix
        self._upstream = urllib.parse.urlsplit(api.server)
        self._trust = ssl.create_default_context(cadata=base64.b64decode(ca).decode())
        self._server = self._listen(self._handler(), certificate)
        self.port = self._server.server_address[1]
        self.endpoint = f"https://127.0.0.1:{self.port}{prefix}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @staticmethod
    def _listen(handler, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate + ".key")

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def get_request(self):
                client, address = super().get_request()
                # The handshake happens with the first read, in the thread of the connection.
                return context.wrap_socket(client, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, request, client_address):
                pass
        return Server(("127.0.0.1", 0), handler)

    def _handler(gateway):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                gateway.serve(self, self.rfile.read(length) if length else None)
            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

            def date_time_string(self, timestamp=None):
                return super().date_time_string((timestamp or time.time()) + gateway.clock)

            def log_message(self, *arguments):
                pass
        return Handler

    def serve(self, handler, body):
        path, _, query = handler.path.partition("?")
        if not path.startswith(self.prefix + "/"):
            self.strangers.append(path)
            self._answer(handler, 404)
            return
        path = path[len(self.prefix):]
        self.requests.append((handler.command, path, query))
        status = self.refuse(handler.command, path, query)
        if status:
            self._answer(handler, status)
            return
        connection = http.client.HTTPSConnection(self._upstream.hostname, self._upstream.port, context=self._trust)
        headers = {name: handler.headers[name] for name in ("Authorization", "Accept", "Content-Type", "User-Agent")
                   if handler.headers[name]}
        connection.request(handler.command, path + ("?" + query if query else ""), body=body, headers=headers)
        self._pass_back(handler, connection.getresponse())
        connection.close()

    @staticmethod
    def _pass_back(handler, answer):
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while data := answer.read1(65536):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        handler.wfile.write(b"0\r\n\r\n")

    @staticmethod
    def _answer(handler, status):
        reason = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound"}.get(status, "InternalError")
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status,
                           "message": f"{reason} by the gateway"}).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def lists(self, plural, since=0):
        """Lists of that collection among the requests from number `since` on."""
        return [r for r in self.requests[since:] if r[0] == "GET" and r[1].endswith("/" + plural) and "watch=true" not in r[2]]

    def writes(self, since=0):
        return [r for r in self.requests[since:] if r[0] != "GET"]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


CA_SETTINGS = """
[ca]
default_ca = this
[this]
new_certs_dir = .
database = index.txt
rand_serial = yes
unique_subject = no
default_md = sha256
policy = names
[names]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
"""


class Authority:
    """A certificate authority that has been there since 2020; the dates of its certificates are free."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        for name, text in (("settings", CA_SETTINGS), ("index.txt", "")):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        self._request("ca", "e2e authority")
        self._sign("ca", "20200101000000Z", "20400101000000Z", "-selfsign", "-extensions", "authority")
        with open(os.path.join(folder, "ca"), "rb") as f:
            self.ca = base64.b64encode(f.read()).decode()

    def _openssl(self, *arguments):
        result = subprocess.run(["openssl", *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert result.returncode == 0, f"openssl {arguments[0]}: {result.stdout}"

    def _request(self, name, subject):
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                      name + ".key", "-out", name + ".request", "-subj", f"/CN={subject}")

    def _sign(self, name, begin, end, *arguments):
        self._openssl("ca", "-batch", "-notext", "-config", "settings", "-keyfile", "ca.key", "-in", name + ".request",
                      "-out", name, "-startdate", begin, "-enddate", end, *arguments)

    def certificate(self, name, names="IP:127.0.0.1", begin="20200102000000Z", end="20390101000000Z"):
        """The path of a server certificate; its key is in the same path with .key."""
        self._request(name, name)
        with open(os.path.join(self.folder, name + ".names"), "w") as f:
            f.write(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
        self._sign(name, begin, end, "-cert", "ca", "-extfile", name + ".names")
        return os.path.join(self.folder, name)


class Recorder:
    """Accepts connections, keeps what comes first, and says nothing."""

    def __init__(self):
        self.first = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                client.settimeout(5)
                self.first.append(client.recv(65536))
                client.close()
            except TimeoutError:
                client.close()
            except OSError:
                return

    def close(self):
        self._listener.close()
