"""Calls every agent alone, then holds a whole consultation, with grpcio.

    pip install -r examples/python/requirements.txt
    python examples/python/consultation.py                             # against `wenzhen serve`
    python examples/python/consultation.py --clinician-key KEY         # signs the plan as well
    python examples/python/consultation.py --orchestrator orchestrator.example.org:443 --ca ca.pem --alone none

Ends with exit code 1 at the first answer that is not what it should be.
"""

import argparse
import contextlib
import pathlib
import uuid

import grpc
import stubs  # noqa: F401  (generates wenzhen.*)
from grpc_health.v1 import health_pb2, health_pb2_grpc

from wenzhen.clinical.v1 import clinical_pb2 as clinical
from wenzhen.empathy.v1 import empathy_pb2, empathy_pb2_grpc
from wenzhen.expert.v1 import expert_pb2, expert_pb2_grpc
from wenzhen.guidance.v1 import guidance_pb2, guidance_pb2_grpc
from wenzhen.kg.v1 import kg_pb2, kg_pb2_grpc
from wenzhen.orchestrator.v1 import event_pb2 as events
from wenzhen.orchestrator.v1 import orchestrator_pb2 as pb
from wenzhen.orchestrator.v1 import orchestrator_pb2_grpc

# Where `wenzhen serve` puts the agents: on the ports above the orchestrator's.
AGENTS = {"kg": 1, "guidance": 2, "expert": 3, "empathy": 4}
TIMEOUT = 5  # seconds; becomes the deadline of every hop behind the call

# What is true of the person who asks; everything else is answered with no.
COMPLAINT = "医生，我这两天怕冷、流清鼻涕，脖子后面也紧，有点担心"
PRESENT = {"chills", "runny_nose", "runny_nose_clear", "blocked_nose", "sneezing", "headache", "neck_stiffness", "body_ache"}
PERSON = {"age_sex": "34岁，女", "age": "34岁", "sex": "女", "pregnant": "没有怀孕"}


def check(right: bool, what: str) -> None:
    """Ends the program when something is not as it should be."""
    if not right:
        raise SystemExit(f"wrong: {what}")


def answer(question: events.Question) -> str:
    """What the person says to a question: a quick answer where the question is about findings."""
    if question.context_field:
        return PERSON.get(question.context_field, "没有")
    have = [finding in PRESENT for finding in question.finding_ids]
    if len(have) == 2 and len(question.quick_answers) >= 4:
        # The order of quick answers: both, neither, only the first, only the second, not sure.
        place = {(True, True): 0, (False, False): 1, (True, False): 2, (False, True): 3}[tuple(have)]
        return question.quick_answers[place]
    return "都有" if have and all(have) else "都没有"


def agents_alone(channels: dict[str, grpc.Channel]) -> None:
    """One call of each RPC that matters, agent by agent, without an orchestrator."""
    for name, channel in channels.items():
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        check(health.status == health_pb2.HealthCheckResponse.SERVING, f"{name} is not serving")

    guidance = guidance_pb2_grpc.GuidanceServiceStub(channels["guidance"])
    kg = kg_pb2_grpc.KgServiceStub(channels["kg"])
    expert = expert_pb2_grpc.ExpertServiceStub(channels["expert"])
    empathy = empathy_pb2_grpc.EmpathyServiceStub(channels["empathy"])

    pack = guidance.Describe(guidance_pb2.DescribeRequest(), timeout=TIMEOUT).packs[0]
    pins = clinical.Pins(pack_digest=pack.digest)
    print(f"pack {pack.id} {pack.version} {pack.digest[:12]}")

    said = guidance.Interpret(guidance_pb2.InterpretRequest(pins=pins, text=COMPLAINT, turn=1), timeout=TIMEOUT)
    found = {o.finding_id for o in said.observations if o.state == clinical.FINDING_STATE_PRESENT}
    check({"chills", "neck_stiffness"} <= found, f"guidance understood {sorted(found)}")
    print("guidance.Interpret:", ", ".join(sorted(found)))

    case = kg_pb2.Case(pins=pins, observations=said.observations)
    scored = kg.Advance(kg_pb2.AdvanceRequest(case=case, max_conditions=3, max_findings=2), timeout=TIMEOUT)
    check(len(scored.ranked) == 3, "kg ranked no three conditions")
    print("kg.Advance:", ", ".join(f"{c.condition_id} {c.score:.2f}" for c in scored.ranked))

    worth = [c.finding_id for c in scored.worth_asking]
    asked = guidance.Ask(
        guidance_pb2.AskRequest(pins=pins, finding_ids=worth, locale=clinical.LOCALE_ZH), timeout=TIMEOUT
    )
    check(bool(asked.text), "guidance worded no question")
    print("guidance.Ask:", asked.text)

    diagnosed = expert.Diagnose(
        expert_pb2.DiagnoseRequest(
            pins=pins,
            observations=said.observations,
            ranked=scored.ranked,
            urgency=clinical.URGENCY_ROUTINE,
            locale=clinical.LOCALE_ZH,
        ),
        timeout=TIMEOUT,
    )
    check(bool(diagnosed.draft.facts), "the expert's draft has no facts")
    print(f"expert.Diagnose: {diagnosed.differential[0].disease}, {len(diagnosed.draft.facts)} facts in the draft")

    felt = empathy.Assess(
        empathy_pb2.AssessRequest(pins=pins, text=COMPLAINT, locale=clinical.LOCALE_ZH), timeout=TIMEOUT
    ).assessment
    check(felt.emotion != clinical.EMOTION_UNSPECIFIED, "empathy assessed nothing")
    print(f"empathy.Assess: {clinical.Emotion.Name(felt.emotion)}, intensity {felt.intensity}")

    pieces = list(
        empathy.Modulate(
            empathy_pb2.ModulateRequest(
                pins=pins,
                draft=diagnosed.draft,
                assessment=felt,
                order=empathy_pb2.ORDER_FACT_TO_EMPATHY,
                subject=clinical.SUBJECT_SELF,
            ),
            timeout=TIMEOUT,
        )
    )
    check(pieces[-1].HasField("done"), "the rewriting did not end with done")
    text = "".join(piece.text for piece in pieces)
    slots = all(text.count("{{%s}}" % fact.id) == 1 for fact in diagnosed.draft.facts)
    check(slots, "a fact slot did not come back exactly once")
    print(f"empathy.Modulate: {len(pieces)} pieces, every slot exactly once")

    try:
        kg.Advance(kg_pb2.AdvanceRequest(case=kg_pb2.Case(pins=clinical.Pins(pack_digest="0" * 64))), timeout=TIMEOUT)
        check(False, "an unknown pack was accepted")
    except grpc.RpcError as error:
        check(error.code() == grpc.StatusCode.FAILED_PRECONDITION, f"an unknown pack is {error.code()}")
        print("unknown pack:", error.code().name)


def say(stub, metadata, consultation_id: str, text: str, message_id: str = "") -> tuple[pb.TurnCompleted, events.Question | None]:
    """Sends one message and shows the reply as it streams in."""
    request = pb.SendMessageRequest(
        consultation_id=consultation_id, message_id=message_id or uuid.uuid4().hex, text=text
    )
    completed, question = None, None
    print(">", text)
    for response in stub.SendMessage(request, metadata=metadata, timeout=30):
        kind = response.WhichOneof("update")
        if kind == "text":
            print(response.text.text, end="", flush=True)
        elif kind == "question":
            question = response.question
        elif kind == "urgency":
            print("!", clinical.Urgency.Name(response.urgency.urgency))
        elif kind == "completed":
            completed = response.completed
    print()
    check(completed is not None, "a turn did not complete")
    for degraded in completed.degraded:
        print(f"  (without {clinical.Agent.Name(degraded.agent)}: {degraded.reason})")
    return completed, question


def bearer(key: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {key}"),)


def consultation(channel: grpc.Channel, api_key: str | None, clinician_key: str | None) -> None:
    """From the opening words to the deletion."""
    stub = orchestrator_pb2_grpc.OrchestratorServiceStub(channel)
    started = stub.StartConsultation(
        pb.StartConsultationRequest(locale=clinical.LOCALE_ZH),
        metadata=bearer(api_key) if api_key else (),
        timeout=TIMEOUT,
    )
    patient = bearer(started.token)
    print(started.consent, started.opening, sep="\n")

    message_id = uuid.uuid4().hex
    first, question = say(stub, patient, started.consultation_id, COMPLAINT, message_id)
    again = list(
        stub.SendMessage(
            pb.SendMessageRequest(consultation_id=started.consultation_id, message_id=message_id, text=COMPLAINT),
            metadata=patient,
            timeout=30,
        )
    )[-1].completed
    check(again.replayed and again.text == first.text, "the same message id was not answered from the record")

    completed = first
    for _ in range(12):
        if completed.decision == events.DECISION_KIND_DIAGNOSE or question is None:
            break
        completed, question = say(stub, patient, started.consultation_id, answer(question))
    check(completed.decision == events.DECISION_KIND_DIAGNOSE, "the consultation ended without a diagnosis")

    get = pb.GetConsultationRequest(consultation_id=started.consultation_id)
    seen = stub.GetConsultation(get, metadata=patient, timeout=TIMEOUT).consultation
    check(not seen.diagnosis.herbs, "a patient saw herbs before the plan was signed")
    print(f"diagnosis: {seen.diagnosis.differential[0].disease} {seen.diagnosis.differential[0].pattern}")
    if clinician_key:
        sign(stub, clinician_key, started.consultation_id)
        seen = stub.GetConsultation(get, metadata=patient, timeout=TIMEOUT).consultation
        check(bool(seen.diagnosis.herbs), "the signed plan does not show")
        print("signed plan:", seen.diagnosis.formula)

    export = pb.ExportConsultationRequest(consultation_id=started.consultation_id)
    print(f"export: {len(stub.ExportConsultation(export, metadata=patient, timeout=TIMEOUT).events)} events")
    delete = pb.DeleteConsultationRequest(consultation_id=started.consultation_id)
    stub.DeleteConsultation(delete, metadata=patient, timeout=TIMEOUT)
    try:
        stub.GetConsultation(get, metadata=patient, timeout=TIMEOUT)
        check(False, "a deleted consultation can be read")
    except grpc.RpcError as error:
        print("after the deletion:", error.code().name)


def sign(stub, key: str, consultation_id: str) -> None:
    """What a clinician does: look what waits, sign it."""
    clinician = bearer(key)
    waiting = stub.ListPending(pb.ListPendingRequest(), metadata=clinician, timeout=TIMEOUT).pending
    check(consultation_id in [p.consultation_id for p in waiting], "the plan does not wait for a signature")
    stub.SignPlan(pb.SignPlanRequest(consultation_id=consultation_id), metadata=clinician, timeout=TIMEOUT)


def main() -> None:
    parser = argparse.ArgumentParser(description="Calls every agent alone, then holds a consultation.")
    parser.add_argument("--orchestrator", default="127.0.0.1:7000", metavar="HOST:PORT")
    for name, offset in AGENTS.items():
        parser.add_argument(f"--{name}", metavar="HOST:PORT", help=f"default: the orchestrator's port + {offset}")
    parser.add_argument("--alone", choices=["all", "none"], default="all", help="none: the orchestrator only")
    parser.add_argument("--ca", help="TLS, with this file of certificate authorities")
    parser.add_argument("--cert", help="client certificate, for agents that want one")
    parser.add_argument("--key", help="key of the client certificate")
    parser.add_argument("--api-key", help="opens the consultation, where the server wants one")
    parser.add_argument("--clinician-key", help="signs the plan")
    args = parser.parse_args()

    read = lambda path: pathlib.Path(path).read_bytes() if path else None  # noqa: E731
    host, _, port = args.orchestrator.rpartition(":")
    with contextlib.ExitStack() as stack:

        def connect(target: str) -> grpc.Channel:
            if args.ca:
                credentials = grpc.ssl_channel_credentials(read(args.ca), read(args.key), read(args.cert))
                return stack.enter_context(grpc.secure_channel(target, credentials))
            return stack.enter_context(grpc.insecure_channel(target))

        if args.alone == "all":
            agents_alone(
                {name: connect(getattr(args, name) or f"{host}:{int(port) + off}") for name, off in AGENTS.items()}
            )
        consultation(connect(args.orchestrator), args.api_key, args.clinician_key)
    print("ok")


if __name__ == "__main__":
    main()
