"""Sends a photograph of a tongue to the vision service of a running `wenzhen serve`, with grpcio.

Needs `pip install -r examples/python/requirements.txt`; stubs.py generates the stubs from proto/.
Run from the root of the repository:

    python examples/python/tongue.py models/tongue/samples/regular-cracked.jpg 127.0.0.1 7005
"""

import pathlib
import sys

import grpc
import stubs  # noqa: F401  (generates wenzhen.*)

from wenzhen.clinical.v1 import clinical_pb2 as clinical
from wenzhen.vision.v1 import vision_pb2 as vision
from wenzhen.vision.v1 import vision_pb2_grpc

CHUNK = 64 * 1024
TYPES = {
    ".jpg": vision.MEDIA_TYPE_JPEG,
    ".jpeg": vision.MEDIA_TYPE_JPEG,
    ".png": vision.MEDIA_TYPE_PNG,
    ".webp": vision.MEDIA_TYPE_WEBP,
}


def parts(path: pathlib.Path, pins, size: int | None = None):
    """The header, then the file in chunks; `size` stands for the true one."""
    picture = path.read_bytes()
    media = TYPES[path.suffix.lower()]
    header = vision.ImageHeader(pins=pins, media_type=media, size_bytes=size or len(picture))
    yield vision.ClassifyTongueRequest(header=header)
    for start in range(0, len(picture), CHUNK):
        yield vision.ClassifyTongueRequest(chunk=picture[start : start + CHUNK])


def main(path: pathlib.Path, host: str, port: int) -> None:
    service = vision_pb2_grpc.VisionServiceStub(grpc.insecure_channel(f"{host}:{port}"))
    about = service.Describe(vision.DescribeRequest(), timeout=10)
    print(f"{about.model_version}, at most {about.max_bytes} bytes and {about.max_pixels} pixels")

    pins = clinical.Pins(pack_digest=about.packs[0].digest)
    seen = service.ClassifyTongue(parts(path, pins), timeout=10)
    print(vision.Quality.Name(seen.quality))
    for feature in seen.features:
        best = feature.classes[0]
        told = "abstains, would say" if feature.abstained else "says"
        print(f"  {feature.name} {told} {getattr(best, 'class')} ({best.probability:.2f})")
    for finding in seen.findings:
        print(f"  finding {finding.finding_id} ({finding.probability:.2f})")
    for constitution in seen.constitutions[:3]:
        print(f"  constitution {constitution.name} ({constitution.probability:.2f})")

    try:
        service.ClassifyTongue(parts(path, pins, size=10), timeout=10)
        sys.exit("a wrong size was not noticed")
    except grpc.RpcError as error:
        print("a wrong size is refused:", error.code().name, error.details())


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    picture, host, port = pathlib.Path(sys.argv[1]), *(sys.argv[2:4] + ["127.0.0.1", "7005"][len(sys.argv) - 2 :])
    main(picture, host, int(port))
