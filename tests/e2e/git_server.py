#!/usr/bin/env python3
"""The real servers that the dodge suite's gits push to, over the repositories of one folder.

git_server.py FOLDER: prints "GIT_PORT HTTP_PORT" and serves git:// (git daemon --inetd) and http://
(git http-backend) on 127.0.0.1 until it is killed; both let push. Ports are the kernel's choice.
"""
import http.server
import os
import socketserver
import subprocess
import sys
import threading

FOLDER = os.path.abspath(sys.argv[1])
SAFE = ["-c", "safe.directory=*"]


class GitHandler(socketserver.BaseRequestHandler):
    def handle(self):
        subprocess.run(
            ["git", *SAFE, "daemon", "--inetd", "--export-all", "--enable=receive-pack", f"--base-path={FOLDER}"],
            stdin=self.request, stdout=self.request, check=False)


class HttpHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        environment = {
            **os.environ, "GIT_PROJECT_ROOT": FOLDER, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "REMOTE_ADDR": "127.0.0.1", "REMOTE_USER": "test",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        answer = subprocess.run(["git", *SAFE, "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, rest = answer.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    do_POST = do_GET

    def log_message(self, *_):
        pass


git = socketserver.ThreadingTCPServer(("127.0.0.1", 0), GitHandler)
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HttpHandler)
threading.Thread(target=git.serve_forever, daemon=True).start()
print(git.server_address[1], web.server_address[1], flush=True)
web.serve_forever()
