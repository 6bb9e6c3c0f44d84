"""What runs inside git on a push: refuses one that nobody would see, reports one that was taken. Standard library only."""

import json
import sys
import urllib.request


def main(name: str, url: str) -> int:
    lines = sys.stdin.read()
    request = urllib.request.Request(url, data=lines.encode() if name == "post-receive" else b"", method="POST")  # noqa: S310
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the person uses: this is the same machine
    try:
        with directly.open(request, timeout=30) as answer:
            for line in json.load(answer):
                print(line)
    except OSError as problem:
        print(f"localcloud does not answer at {url} ({problem}): start it, then push again")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
