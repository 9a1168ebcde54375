"""A server on the loopback address that speaks the API of chat completions, and misbehaves by script."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Plays:
    """What the server does with request after request; the last one is repeated.

    Each is `labels` (a list, or a function of the request's JSON), `status`, or a function of the handler.
    """

    def __init__(self, *plays):
        self.plays, self.requests, self.headers, self.times = list(plays), [], [], []
        self.busy = self.busiest = 0
        self.lock = threading.Lock()

    def next(self, request, headers):
        with self.lock:
            self.requests.append(request)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            return self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]


def completion(text, tokens=(700, 40)):
    return {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)},
    }  # fmt: skip


def labels(*names):
    """Answer with these labels, the last one for all pictures that are left."""

    def play(handler, request):
        count = requested(request)
        chosen = [*names, *[names[-1]] * count][:count]
        handler.answer(200, completion(json.dumps({"labels": chosen})))

    return play


def requested(request):
    return int(request["messages"][0]["content"][0]["text"].split("You see ")[1].split()[0])


def text(content):
    return lambda handler, request: handler.answer(200, completion(content))


def status(code, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, request: handler.answer(code, body or {"error": {"message": "no"}}, **named)


def half_a_reply(handler, request):
    content = json.dumps(completion('{"labels": ["walk"]}')).encode()
    handler.begin(200, len(content))
    handler.wfile.write(content[: len(content) // 2])
    handler.wfile.flush()
    handler.connection.close()


def silence(seconds):
    def play(handler, request):
        time.sleep(seconds)

    return play


def dripping(seconds):
    """A byte now and then, for ever, so that no single silence is long."""

    def play(handler, request):
        handler.begin(200, 10**6)
        for _ in range(int(seconds / 0.05)):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    return play


def endless(handler, request):
    handler.begin(200, 10**9)
    for _ in range(5000):
        handler.wfile.write(b" " * 4096)


@contextmanager
def serving(*plays):
    """The address of a server, and its requests."""
    plays_given = Plays(*plays)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def begin(self, code, length, **headers):
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(length))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def answer(self, code, body, **headers):
            content = json.dumps(body).encode()
            self.begin(code, len(content), **headers)
            self.wfile.write(content)

        def do_POST(self):
            try:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            except (ValueError, OSError):  # the client broke off
                return
            play = plays_given.next(request, {name.lower(): value for name, value in self.headers.items()})
            with plays_given.lock:
                plays_given.busy += 1
                plays_given.busiest = max(plays_given.busiest, plays_given.busy)
            try:
                play(self, request)
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                with plays_given.lock:
                    plays_given.busy -= 1

        do_GET = do_POST  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", plays_given
    finally:
        server.shutdown()
        server.server_close()
