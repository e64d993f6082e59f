"""Calls single agents of a running `wenzhen serve` with grpcio.

Needs `pip install -r examples/python/requirements.txt`; stubs.py generates the stubs from proto/.
Run from the root of the repository:

    python examples/python/one_agent.py 127.0.0.1 7000
"""

import sys

import grpc
import stubs  # noqa: F401  (generates wenzhen.*)

from wenzhen.clinical.v1 import clinical_pb2 as clinical
from wenzhen.guidance.v1 import guidance_pb2, guidance_pb2_grpc
from wenzhen.kg.v1 import kg_pb2, kg_pb2_grpc


def main(host: str, port: int) -> None:
    # The agents listen on the ports above the orchestrator's: kg +1, guidance +2, expert +3, empathy +4.
    kg = kg_pb2_grpc.KgServiceStub(grpc.insecure_channel(f"{host}:{port + 1}"))
    guidance = guidance_pb2_grpc.GuidanceServiceStub(grpc.insecure_channel(f"{host}:{port + 2}"))

    pack = kg.Describe(kg_pb2.DescribeRequest(), timeout=2).packs[0]
    pins = clinical.Pins(pack_digest=pack.digest)
    print(f"pack {pack.id} {pack.version}")

    said = guidance.Interpret(
        guidance_pb2.InterpretRequest(pins=pins, text="没有发烧咳嗽，鼻子不通", turn=1), timeout=2
    )
    for observation in said.observations:
        print("  observed", observation.finding_id, clinical.FindingState.Name(observation.state))

    scored = kg.Advance(
        kg_pb2.AdvanceRequest(case=kg_pb2.Case(pins=pins, observations=said.observations), max_conditions=3), timeout=2
    )
    for condition in scored.ranked:
        print(f"  {condition.score:.3f} {condition.condition_id}")
    print(kg_pb2.Recommendation.Name(scored.recommendation), [c.finding_id for c in scored.worth_asking[:2]])

    try:
        kg.Advance(kg_pb2.AdvanceRequest(case=kg_pb2.Case(pins=clinical.Pins(pack_digest="0" * 64))), timeout=2)
    except grpc.RpcError as error:
        print("an unknown pack is refused:", error.code().name, error.details())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 7000)
