"""Build the book, and serve it on this machine.

    python tools/book.py build
    python tools/book.py serve [--port 8123]
"""
import argparse
import contextlib
import errno
import os
import re
import shutil
import subprocess
import sys
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
PORT, TRIES = 8000, 10


def build(source=ROOT, output=ROOT) -> Path:
    """Build the book of folder `source` into `output/_build/html`, every warning an error.

    Always from nothing: a page that Sphinx does not read again does not repeat its warnings, and
    the page of a removed chapter would stay. Writes `output/_build/build.log` and returns the
    folder of the pages. Raises SystemExit, with the warnings in its message, if there were any.
    """
    folder = Path(output) / "_build"
    for old in ("html", ".doctrees"):
        shutil.rmtree(folder / old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(source),
         "--path-output", str(output), "-W", "-n", "--keep-going"],
        capture_output=True, text=True, encoding="utf-8", errors="replace",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    # Jupyter Book colours its output even where nobody sees it.
    out, shown = (re.sub(r"\x1b\[[\d;]*m", "", part) for part in (result.stdout, result.stderr))
    log = folder / "build.log"
    log.write_text(out + shown, encoding="utf-8")
    if result.returncode:
        warnings = sum("WARNING:" in line or "ERROR:" in line for line in shown.splitlines())
        raise SystemExit(f"{shown.strip()}\n\n"
                         f"The book was not built: {warnings} warnings, shown above. Log: {log}")
    print(f"Built the book in {time.perf_counter() - start:.1f} s, 0 warnings.", flush=True)
    return folder / "html"


class Handler(SimpleHTTPRequestHandler):
    """Files of the book; the book's own page for what is not there; nothing printed."""

    # Spelt out, because Python otherwise asks the machine, and Windows answers oddly.
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
        ".woff": "font/woff",
        ".woff2": "font/woff2",
        ".json": "application/json",
        ".ipynb": "application/x-ipynb+json",
    }

    def send_error(self, code, message=None, explain=None):
        page = Path(self.directory) / "404.html"
        if code != 404 or not page.is_file():
            return super().send_error(code, message, explain)
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", self.extensions_map[".html"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def list_directory(self, path):
        self.send_error(404)

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")  # a rebuilt page shows at the next reload
        super().end_headers()

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # On Windows this option would let two servers share one port.
    allow_reuse_address = os.name != "nt"

    def handle_error(self, request, client_address):
        pass  # a browser that closes a connection early is no news


def server(folder=HTML, port=0) -> Server:
    """A server of `folder` on 127.0.0.1; port 0 takes a free one. Call `serve_forever()` on it.

    Raises FileNotFoundError if there is no built book there, OSError (EADDRINUSE) if the port is
    in use.
    """
    folder = Path(folder)
    if not (folder / "index.html").is_file():
        raise FileNotFoundError(f"No built book in {folder}: run `make book`, "
                                "or `python tools/book.py build` first.")
    return Server(("127.0.0.1", port),
                  lambda *args: Handler(*args, directory=str(folder)))


def serve(port=None, folder=HTML) -> None:
    """Serve until Ctrl-C. Without a `port`: the first free one from 8000 on."""
    for candidate in [port] if port is not None else range(PORT, PORT + TRIES):
        try:
            running = server(folder, candidate)
            break
        except FileNotFoundError as error:
            raise SystemExit(str(error)) from None
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", None) != errno.EADDRINUSE:
                raise SystemExit(f"Cannot serve on port {candidate}: {error}. "
                                 "Choose another one: make book PORT=8123") from None
            if port is None:
                print(f"Port {candidate} is in use.", flush=True)
    else:
        asked = f"Port {port} is" if port is not None else f"Ports {PORT} to {candidate} are"
        raise SystemExit(f"{asked} in use by another program. "
                         f"Choose another one: make book PORT={(port or candidate) + 123}")
    with running, contextlib.suppress(KeyboardInterrupt):
        print(f"The book is at http://127.0.0.1:{running.server_address[1]}/ (Ctrl-C ends it)",
              flush=True)
        running.serve_forever()


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the pages into _build/html, every warning an error")
    serving = commands.add_parser("serve", help="serve the built pages on 127.0.0.1")
    serving.add_argument("--port", type=int, help=f"default: the first free one from {PORT} on")
    arguments = parser.parse_args(argv)
    if arguments.command == "build":
        build()
    else:
        serve(arguments.port)


if __name__ == "__main__":
    main()
