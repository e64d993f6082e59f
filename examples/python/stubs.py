"""Generates the Python stubs of every service from proto/ and puts them on the path.

The stubs live in a temporary folder that goes away with the process, so they can never be older than the protos.
Import this module before `wenzhen.*`:

    import stubs  # noqa: F401
    from wenzhen.kg.v1 import kg_pb2, kg_pb2_grpc
"""

import atexit
import pathlib
import shutil
import sys
import tempfile

import grpc_tools
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _generate() -> None:
    out = tempfile.mkdtemp(prefix="wenzhen-stubs-")
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    protos = sorted(str(path) for path in (ROOT / "proto" / "wenzhen").rglob("*.proto"))
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    includes = [f"-I{ROOT / 'proto'}", f"-I{well_known}"]
    if protoc.main(["protoc", *includes, f"--python_out={out}", f"--grpc_python_out={out}", *protos]):
        sys.exit("the stubs could not be generated")
    sys.path.insert(0, out)


_generate()
