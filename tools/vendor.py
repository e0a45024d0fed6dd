"""Fetch the scripts and fonts of the site, and check the committed copies.

    python tools/vendor.py             # the committed files against their sums
    python tools/vendor.py --rebuild   # fetch the packages again and compare, byte by byte
    python tools/vendor.py --rebuild --write   # after a change below: take the new files and sums

The site asks no other host for anything, so everything a page loads is committed:
MathJax, mermaid and the widget manager under `_vendor/vendor/`, which is published as
`vendor/`; fonts under `_static/fonts/`. `_vendor/vendor/SOURCES.json` holds, for each
package, its name, version and licence, and the sha256 of every file taken from it.

Rebuilding needs npm and, for the two fonts that are cut to the characters we use,
`pip install fonttools==4.68.0 brotli==1.2.1`.
"""

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
SOURCES = "_vendor/vendor/SOURCES.json"
VENDOR, FONTS = "_vendor/vendor", "_static/fonts"

# Mermaid loads one script per kind of diagram. These are the kinds kept; a page that
# draws another fails the test, not the reader.
DIAGRAMS = ["flowDiagram", "sequenceDiagram", "stateDiagram-v2", "classDiagram-v2", "timeline-definition",
            "ganttDiagram", "dagre", "sizeCapture"]

LATIN = "U+0020-007E,U+00A0-017F,U+02C6,U+02DA,U+02DC,U+2010-2027,U+2030,U+2032,U+2033,U+2039,U+203A,U+20AC,U+2122"
# Greek, superscripts, arrows, operators, box drawing, blocks, shapes, check marks: in no "latin" font.
SYMBOLS = "U+0370-03FF,U+2070-209F,U+2190-21FF,U+2200-22FF,U+2308-230B,U+2500-259F,U+25A0-25FF,U+2713,U+2717"


def whole(paths, into):
    """Take files as they are: `paths` maps a pattern in the package to a folder or name below `into`."""
    def take(package):
        for pattern, target in paths.items():
            found = [p for p in package if PurePosixPath(p).match(pattern)]
            if not found:
                raise SystemExit(f"nothing in the package matches {pattern}: has its layout changed?")
            for path in found:
                name = target + PurePosixPath(path).name if target.endswith("/") or not target else target
                yield f"{into}/{name}", package[path]
    return take


def mermaid(package):
    """The module, and what it and the kept diagrams import."""
    def imports(path):
        text, folder = package[path].decode(), PurePosixPath(path).parent
        return {str(folder / p).replace("/./", "/") for p in re.findall(r'(?:from|import)\s*"\./([^"]+\.mjs)"', text)}

    todo = ["dist/mermaid.esm.min.mjs"]
    for kind in DIAGRAMS:
        todo += [p for p in package if re.fullmatch(rf"dist/chunks/mermaid\.esm\.min/{kind}-[A-Z0-9]{{8}}\.mjs", p)]
    seen = set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += imports(path)
    for path in sorted(seen):
        yield f"{VENDOR}/mermaid/{path.removeprefix('dist/')}", package[path]
    yield f"{VENDOR}/mermaid/LICENSE", package["LICENSE"]


def widgets(package):
    """The widget manager without its copy of ipywidgets 7, a quarter of its size."""
    text = package["dist/embed-amd.js"].decode()
    parts = re.split(r"(?=/\*! For license information please see )", text)
    kept = [p for p in parts if not p.startswith(("/*! For license information please see base7.",
                                                  "/*! For license information please see controls7."))]
    if len(parts) - len(kept) != 2:
        raise SystemExit("embed-amd.js is laid out differently: look where base7 and controls7 begin")
    # The source maps are not published: without the comment the browser does not ask for them.
    text = re.sub(r"(?m)^//# sourceMappingURL=.*$", "", "".join(kept))
    # Its icon fonts would be asked for beside the page; the theme has the same ones.
    text, fonts = re.subn(r'@font-face\{font-family:"Font Awesome 5 (?:[^{}]|\$\{[\w$]+\})*\}', "", text)
    if not fonts:
        raise SystemExit("embed-amd.js names its icon fonts differently: pages with widgets would ask for missing files")
    yield f"{VENDOR}/widgets/embed-amd.js", text.encode()
    yield f"{VENDOR}/widgets/LICENSE-bundled.txt", package["dist/embed.js.LICENSE.txt"]


def subset(path, characters, into, features=("kern", "mark", "mkmk", "ccmp", "locl", "tnum", "zero"), licence=None,
           weights=None):
    """A font cut to some characters. Programming ligatures go too: `!=` must look like what one types."""
    def take(package):
        try:
            from fontTools import subset as cutter
            from fontTools.ttLib import TTFont
            from fontTools.varLib import instancer
            import brotli  # noqa: F401  (woff2)
        except ImportError as error:
            raise SystemExit(f"{error}: pip install fonttools==4.68.0 brotli==1.2.1") from error
        font = TTFont(io.BytesIO(package[path]), recalcTimestamp=False)
        options = cutter.Options()
        options.flavor, options.layout_features = "woff2", list(features)
        options.name_IDs, options.recalc_timestamp, options.notdef_outline = ["*"], False, True
        cut = cutter.Subsetter(options)
        cut.populate(unicodes=cutter.parse_unicodes(characters))
        cut.subset(font)
        if weights:
            instancer.instantiateVariableFont(font, weights, inplace=True)
        font.flavor = "woff2"
        buffer = io.BytesIO()
        font.save(buffer)
        yield f"{FONTS}/{into}", buffer.getvalue()
        if licence:
            yield f"{FONTS}/{licence}", package["LICENSE" if "LICENSE" in package else "LICENSE.txt"]
    return take


OFL = "OFL-1.1"
PACKAGES = [
    # name, version, licence, where the licence text lies, what to take
    ("mathjax", "3.2.2", "Apache-2.0", f"{VENDOR}/mathjax/LICENSE", whole({
        "LICENSE": "LICENSE",
        "es5/tex-mml-chtml.js": "",
        "es5/input/tex/extensions/*.js": "input/tex/extensions/",
        "es5/output/chtml/fonts/woff-v2/*.woff": "output/chtml/fonts/woff-v2/",
    }, f"{VENDOR}/mathjax")),
    ("mermaid", "11.17.2", "MIT", f"{VENDOR}/mermaid/LICENSE", mermaid),
    ("requirejs", "2.3.8", "MIT", f"{VENDOR}/widgets/LICENSE-requirejs.txt",
     whole({"require.js": ""}, f"{VENDOR}/widgets")),
    ("@jupyter-widgets/html-manager", "1.0.15", "BSD-3-Clause", f"{VENDOR}/widgets/LICENSE-html-manager.txt", widgets),
    # "Source" is a reserved font name: these files are passed on unchanged.
    ("@fontsource-variable/source-serif-4", "5.3.1", OFL, f"{FONTS}/LICENSE-source-serif-4.txt", whole({
        "LICENSE": "LICENSE-source-serif-4.txt",
        "files/source-serif-4-latin-wght-*.woff2": "",
        "files/source-serif-4-latin-ext-wght-*.woff2": "",
        "files/source-serif-4-greek-wght-normal.woff2": "",
    }, FONTS)),
    ("@fontsource-variable/inter", "5.3.0", OFL, f"{FONTS}/LICENSE-inter.txt",
     subset("files/inter-latin-wght-normal.woff2", LATIN, "inter-latin.woff2", licence="LICENSE-inter.txt")),
    ("inter-ui", "4.1.1", OFL, f"{FONTS}/LICENSE-inter.txt",
     subset("variable/InterVariable.woff2", SYMBOLS + ",U+0100-017F", "inter-symbols.woff2",
            weights={"opsz": 14, "wght": (400, 700)})),
    ("@fontsource-variable/jetbrains-mono", "5.3.0", OFL, f"{FONTS}/LICENSE-jetbrains-mono.txt",
     subset("files/jetbrains-mono-latin-wght-normal.woff2", LATIN, "jetbrains-mono-latin.woff2",
            licence="LICENSE-jetbrains-mono.txt")),
    ("jetbrains-mono", "1.0.6", OFL, f"{FONTS}/LICENSE-jetbrains-mono.txt",
     subset("fonts/webfonts/JetBrainsMono-Regular.woff2", SYMBOLS + ",U+0100-017F", "jetbrains-mono-symbols.woff2")),
]


def fetch(name, version):
    """The files of a package, by path below its top folder."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, capture_output=True, text=True)
        tarballs = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(tarballs) != 1:
            raise SystemExit(f"npm could not fetch {name}@{version}:\n{done.stderr}")
        with tarfile.open(tarballs[0]) as tar:
            return {m.name.split("/", 1)[1]: tar.extractfile(m).read() for m in tar if m.isfile()}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def rebuild():
    """Every file and its table, made again from the packages."""
    files, table = {}, []
    for name, version, licence, licence_file, take in PACKAGES:
        print(f"{name} {version}", file=sys.stderr)
        taken = dict(take(fetch(name, version)))
        files |= taken
        table.append({"name": name, "version": version, "licence": licence, "licence_file": licence_file,
                      "files": {path: sha256(taken[path]) for path in sorted(taken)}})
    return files, table


def differences(root=ROOT):
    """What is wrong with the committed copies: a list of sentences, empty if nothing is."""
    table = json.loads((root / SOURCES).read_text())
    wrong, known = [], {SOURCES}
    for package in table:
        licence = root / package["licence_file"]
        known.add(package["licence_file"])
        if not licence.is_file() or not licence.read_text().strip():
            wrong.append(f"{package['name']}: its licence text {package['licence_file']} is missing")
        for path, sum_ in package["files"].items():
            known.add(path)
            if not (root / path).is_file():
                wrong.append(f"{path} is missing")
            elif sha256((root / path).read_bytes()) != sum_:
                wrong.append(f"{path} is not the file of {package['name']} {package['version']}")
    for folder in (VENDOR, FONTS):
        wrong += [f"{path} is in no package of {SOURCES}"
                  for path in sorted(str(p.relative_to(root)) for p in (root / folder).rglob("*") if p.is_file())
                  if path not in known]
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rebuild", action="store_true", help="fetch the packages again and compare")
    parser.add_argument("--write", action="store_true", help="with --rebuild: replace the committed files and sums")
    args = parser.parse_args()
    if args.rebuild:
        files, table = rebuild()
        if args.write:
            for path, data in files.items():
                (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
                (ROOT / path).write_bytes(data)
            (ROOT / SOURCES).write_text(json.dumps(table, indent=1) + "\n")
        elif table != json.loads((ROOT / SOURCES).read_text()):
            raise SystemExit(f"the packages give other files than {SOURCES} says")
    wrong = differences()
    print("\n".join(wrong) or "every vendored file is the one its table names")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
