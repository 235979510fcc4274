"""A server on loopback that speaks the protocol of OpenAI-compatible endpoints and has its faults."""

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-loopback-0123456789"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(
            {"path": self.path, "headers": dict(self.headers), "at": time.monotonic(), **request}
        )
        if self.server.faults:
            self.server.faults.pop(0)(self, request)
        else:
            self.reply(200, self.server.answer_to(request))

    def reply(
        self, status: int, content: object, headers: dict[str, str] | None = None, cut: int | None = None
    ) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = cut is not None

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer_to: Callable[[dict], object]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer_to = answer_to
        self.requests: list[dict] = []
        self.faults: list = []

    def handle_error(self, *args: object) -> None:
        pass


def fails(status: int, message: str = "that went wrong", **headers: str):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, request: handler.reply(status, {"error": {"message": message}}, names)


def says(change: Callable[[dict], object]):
    return lambda handler, request: handler.reply(200, change(handler.server.answer_to(request)))


def breaks_off(handler: Handler, request: dict) -> None:
    handler.reply(200, handler.server.answer_to(request), cut=50)


def hangs_up(handler: Handler, request: dict) -> None:
    handler.close_connection = True
