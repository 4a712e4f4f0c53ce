"""Faulty members without hurting the real ones: a TCP proxy that can hang or refuse, and a pretended API server."""
import http.server
import json
import socket
import threading

_KEPT = []


def free_port():
    """A port of loopback for a server that is about to listen, or for an address at which nobody is.

    Until the end of the run nobody else gets it by asking for any port, or for an outgoing connection. Who connects is
    refused, unless a server listens there; it has to set SO_REUSEADDR, as most do.
    """
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    _KEPT.append(keeper)
    return keeper.getsockname()[1]


class Proxy:
    """Forwards TCP connections to host:port from a port of its own. TLS passes through untouched.

    pass_on()  forward (the start)
    hang()     accept and keep connections, but move no byte in either direction
    refuse()   cut all connections and close the port, which stays ours
    """

    def __init__(self, host, port):
        self._target = (host, port)
        self._moving = threading.Event()
        self._moving.set()
        self._closed = False
        self._lock = threading.Lock()
        self._sockets = set()
        self._listener = None
        self.connections = 0
        self.port = free_port()
        self._listen()

    def _listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client, listener), daemon=True).start()

    def _serve(self, client, listener):
        self._moving.wait()
        try:
            server = socket.create_connection(self._target, timeout=10)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        with self._lock:
            cut = self._listener is not listener    # refuse() came meanwhile, and did not find this one
            self._sockets |= set() if cut else {client, server}
        if cut:
            client.close()
            server.close()
            return
        threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
        self._pump(server, client)

    def _pump(self, source, sink):
        try:
            while True:
                self._moving.wait()
                data = source.recv(65536)
                self._moving.wait()
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        with self._lock:
            known = self._sockets & {source, sink}
            self._sockets -= known
        for s in known:
            s.close()

    def hang(self):
        self._moving.clear()

    def pass_on(self):
        if self._listener is None:
            self._listen()
        self._moving.set()

    def refuse(self):
        with self._lock:
            listener, self._listener = self._listener, None
            sockets = list(self._sockets)
        if listener:
            # close() alone leaves a thread in accept() that still takes one more connection.
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._moving.set()

    def close(self):
        self.refuse()


class PretendedMember:
    """A plain HTTP server that answers /healthz and /version as it is told, and 404 to everything else.

    failures: that many of the next /healthz are answered with 500, whatever else is told
    """

    def __init__(self):
        self.status, self.body, self.version = 200, b"ok", "v1.99.0"
        self.failures = 0
        self._lock = threading.Lock()
        self.requests = []
        pretended = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                pretended.requests.append(self.path)
                path = self.path.split("?")[0]
                if path == "/healthz":
                    self.answer(pretended._take_status(), pretended.body, "text/plain")
                elif path == "/version":
                    self.answer(200, json.dumps({"major": "1", "minor": "99", "gitVersion": pretended.version,
                                                 "platform": "linux/amd64"}).encode(), "application/json")
                else:
                    self.answer(404, b'{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound",'
                                     b'"message":"not here","code":404}', "application/json")

            def answer(self, status, body, content_type):
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128    # many clusters may come at once

            def handle_error(self, request, client_address):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take_status(self):
        with self._lock:
            if self.failures == 0:
                return self.status
            self.failures -= 1
            return 500

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Flood:
    """A server that answers every request with an endless body: a member must not make the process grow."""

    def __init__(self):
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.port = self._listener.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._stop = False
        self.sent = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self._stop:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._flood, args=(client,), daemon=True).start()

    def _flood(self, client):
        try:
            client.settimeout(20)
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
            while not self._stop:
                client.sendall(chunk)
                self.sent += len(chunk)
        except OSError:
            pass
        client.close()

    def close(self):
        self._stop = True
        self._listener.close()


__all__ = ["Proxy", "PretendedMember", "Flood", "free_port"]
