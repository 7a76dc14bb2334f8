#!/usr/bin/env python3
"""Asks Signalbox which model should answer each line of standard input; goes on without it while it is away."""
import argparse
import json
import os
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from signalbox.v1 import policy_admin_pb2, route_pb2, router_service_pb2_grpc

# What a caller uses while Signalbox is away: its own choice, kept where no server is needed to read it.
DEFAULT_MODEL = "openai/gpt-5-mini"

# Every call goes to the next replica; one that failed as UNAVAILABLE is sent again, to another one. Explain, GetPolicy and
# ReportOutcome may be added by name; ReloadPolicy is never to be sent twice.
SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [{
        "name": [{"service": "signalbox.v1.RouterService", "method": "Route"}],
        "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2,
                        "retryableStatusCodes": ["UNAVAILABLE"]},
    }],
}

# Signalbox cannot answer just now, which must not fail the caller's own request. All else is to be read and put right.
AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL}


def connect(addresses, ca=None, server_name=None):
    """One channel to all replicas: a list of IP addresses, or one name that DNS resolves to them (a headless Service)."""
    target = f"ipv4:{addresses}" if "," in addresses else f"dns:///{addresses}"
    # The name in the certificate. It must be said of a list: gRPC would send the whole list as the name of the server, which
    # HTTP/2 servers refuse.
    name = server_name or addresses.split(",")[0]
    options = [("grpc.service_config", json.dumps(SERVICE_CONFIG)), ("grpc.default_authority", name)]
    if not ca:
        return grpc.insecure_channel(target, options)
    with open(ca, "rb") as file:
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(file.read()), options)


def show(decision):
    """Prints a decision."""
    print(f"model       {decision.model_id}")
    print(f"route       {decision.route or '-'}")
    print(f"confidence  {decision.confidence:.3f}" if decision.HasField("confidence") else "confidence  -")
    print(f"fallbacks   {', '.join(decision.fallback_model_ids) or '-'}")
    print(f"reason      {decision.reason}")


def refused(error):
    """Prints why Signalbox said no, with every problem: its details are standard google.rpc messages."""
    reason, problems = error.code().name, []
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad):
            problems = bad.field_violations
    print(f"refused     {reason}: {error.details()}")
    for problem in problems:
        print(f"problem     {problem.field}: {problem.description}")


def main():
    """Reads the arguments, and the prompts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("addresses", help="HOST:PORT of the replicas, separated by commas")
    parser.add_argument("--deadline", type=float, default=2, help="seconds for a call, retries included")
    parser.add_argument("--max-cost-usd", type=float, help="the most that a request may cost")
    parser.add_argument("--min-quality", type=float, help="the least quality of a model, 0 to 1")
    parser.add_argument("--ca", help="speak TLS, and trust the authorities in this PEM file")
    parser.add_argument("--server-name", help="the name in the servers' certificate, where it is not the first host")
    parser.add_argument("--policy-of", metavar="TENANT", help="show a tenant's policy; administrative: SIGNALBOX_TOKEN")
    args = parser.parse_args()
    stub = router_service_pb2_grpc.RouterServiceStub(connect(args.addresses, args.ca, args.server_name))

    if args.policy_of:
        # Only administrative calls carry the token.
        token = os.environ.get("SIGNALBOX_TOKEN")
        metadata = [("authorization", f"Bearer {token}")] if token else []
        try:
            policy = stub.GetPolicy(policy_admin_pb2.GetPolicyRequest(tenant=args.policy_of), timeout=args.deadline,
                                    metadata=metadata)
            print(f"policy      {policy.version} {policy.checksum}")
        except grpc.RpcError as error:
            refused(error)
        return

    requirements = route_pb2.Requirements(max_cost_usd=args.max_cost_usd, min_quality=args.min_quality)
    for line in sys.stdin:
        message = route_pb2.Message(role=route_pb2.ROLE_USER, content=line.rstrip("\n"))
        try:
            show(stub.Route(route_pb2.RouteRequest(messages=[message], requirements=requirements), timeout=args.deadline))
        except grpc.RpcError as error:
            if error.code() in AWAY:
                print(f"model       {DEFAULT_MODEL}")
                print(f"reason      Signalbox is away ({error.code().name}); this is the caller's own default: {error.details()}")
            else:
                refused(error)
        print(flush=True)


if __name__ == "__main__":
    main()
