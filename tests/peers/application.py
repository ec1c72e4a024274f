"""The application behind a gateway: it answers with what it was asked, and remembers who asked.

    application = Application()
    application.address           # "127.0.0.1:41234"
    application.saw(request_id)   # did a request with this X-Test-Id come through?
    GET /status/403               # is answered with that status; everything else with 200
    GET /hang-up                  # is not answered: the connection is closed
"""
import http.server
import json
import socket
import threading


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def _body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _answer(self):
        self.server.seen.add(self.headers.get("X-Test-Id"))
        if self.path == "/hang-up":
            self.close_connection = True
            return
        document = {"method": self.command, "target": self.path, "fields": self.headers.items(),
                    "body": self._body().decode("latin-1")}
        answer = json.dumps(document).encode()
        status = int(self.path[8:]) if self.path.startswith("/status/") else 200
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer

    def log_message(self, *_):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen = set()

    def handle_error(self, request, client_address):
        pass  # a gateway that closes a connection is no news

    def server_bind(self):
        socket.socket.bind(self.socket, self.server_address)  # without looking up a host name
        self.server_address = self.socket.getsockname()


class Application:
    def __init__(self):
        self._server = _Server()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self._server.server_address[1]

    def saw(self, request_id):
        return request_id in self._server.seen

    def close(self):
        self._server.shutdown()
        self._server.server_close()
