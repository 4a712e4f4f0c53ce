"""Forward proxies for tests, on loopback: HTTP CONNECT, the same over TLS, and SOCKS5; with a password if wanted."""
import base64
import socket
import ssl
import struct
import threading


class ForwardProxy:
    """url tells how it is reached; targets lists what it was asked for; ended() refuses everything."""

    def __init__(self, scheme, certificate=None, user=None, password=None):
        self.scheme, self.targets, self.refused = scheme, [], 0
        self.user, self.password = user, password
        self.broken = None      # "refuse": answers no; "hang": says nothing; "close": ends in the middle
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate, certificate + ".key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        login = f"{user}:{password}@" if user else ""
        self.url = f"{scheme}://{login}127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
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
            self._tunnel(client, socket.create_connection(target))
        except OSError:
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
        if self.broken == "close":
            client.sendall(b"HTTP/1.1 200 Conn")
            return None
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

    def _socks(self, client):
        methods = self._read(client, self._read(client, 2)[1])
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
        kind = self._read(client, 4)[3]
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

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.close()
            except OSError:
                pass

    def _tunnel(self, client, server):
        threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
        self._pump(server, client)
