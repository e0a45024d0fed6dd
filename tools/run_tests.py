"""Run the whole test suite with the network cut, twice, in random order.

    python tools/run_tests.py [--seed 7] [anything that pytest takes]

With --seed one pass in that order. Where the system allows no network namespace (macOS, Windows,
some containers) the tests run with the network as it is, and say so.
"""
import argparse
import os
import random
import socket
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMESPACES = (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"])
# "cut" or "open", for the test that the network is cut.
VARIABLE = "COURSE_NETWORK"


def loopback_up() -> None:
    """Bring up `lo` in this network namespace, where it starts down (as `ip link set lo up`)."""
    import fcntl  # not on Windows

    SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def enter_namespace(arguments) -> str:
    """Start this script again in a namespace without a network; return only if there is none.

    The returned text is why.
    """
    why = "only Linux has network namespaces"
    for prefix in NAMESPACES if sys.platform == "linux" else ():
        command = [*prefix, sys.executable, str(Path(__file__).resolve())]
        try:
            probe = subprocess.run([*command, "--probe"], capture_output=True, text=True)
        except OSError as error:
            return str(error)
        if probe.returncode == 0:
            os.environ[VARIABLE] = "cut"
            os.execvp(command[0], [*command, *arguments])
        why = (probe.stderr.strip().splitlines() or ["unshare failed"])[-1]
    return why


def pytest(seed: int, arguments) -> list:
    return [sys.executable, "-m", "pytest", "-n", "3", "--dist", "loadscope",
            "--shuffle-seed", str(seed), *arguments]


def main(argv=None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, help="one pass, in the order of this seed")
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)
    options, arguments = parser.parse_known_args(argv)
    if options.probe:
        loopback_up()
        return 0
    if os.environ.get(VARIABLE) == "cut":
        loopback_up()
    else:
        why = enter_namespace(argv)
        os.environ[VARIABLE] = "open"
        print(f"The network is not cut ({why}).", flush=True)
    # One thread per process, so that two notebooks side by side do not fight over the cores and
    # sums come out in the same order everywhere.
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    os.chdir(ROOT)
    if options.seed is not None:
        seed = options.seed
    else:
        first, seed = random.SystemRandom().sample(range(10_000), 2)
        print(f"pass 1: seed {first}: ", end="", flush=True)
        log = ROOT / "_build" / "test-pass-1.log"
        log.parent.mkdir(exist_ok=True)
        with open(log, "w", encoding="utf-8") as out:
            code = subprocess.call(pytest(first, arguments), stdout=out, stderr=subprocess.STDOUT)
        if code:
            print(f"failed; this order again: make test SEED={first}\n\n"
                  f"{log.read_text(encoding='utf-8', errors='replace')}", end="", flush=True)
            return code
        print("ok", flush=True)
    print(f"{'pass 2: ' if options.seed is None else ''}seed {seed}", flush=True)
    return subprocess.call(pytest(seed, arguments))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
