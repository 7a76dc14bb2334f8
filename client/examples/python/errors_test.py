#!/usr/bin/env python3
"""The contract's table of errors, row by row, as a caller in Python sees it: `errors_test.py BIN`, with real servers.

Three things no caller can provoke: INTERNAL, which is a defect; DRAINING, since calls are served to the end of the drain;
and a server without any policy, since it does not start. A tenant without one stands for the last.
"""
import signal
import sys
import tempfile
import unittest
import uuid
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from signalbox.v1 import explain_pb2, outcome_pb2, policy_admin_pb2, route_pb2, route_decision_pb2, router_service_pb2_grpc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from servers import Server, until  # noqa: E402

POLICY = """
schema: 1
version: 7
default: acme/small
models:
  - {id: acme/small, price: {input: 1, output: 1}}
  - {id: acme/large}
  - {id: acme/gold, tiers: [gold]}
routes: [{name: poems, description: writing poems and songs, models: [acme/small]}]
rules: [{name: no-batch, when: 'caller.labels["batch"] == "true"', deny: batches have a service of their own}]
"""
TOKEN = "a-token-for-this-test"


def ask(text="hello", **fields):
    """A request."""
    return route_pb2.RouteRequest(messages=[route_pb2.Message(role=route_pb2.ROLE_USER, content=text)], **fields)


def invented(number):
    """A request with 64 routes that no other has."""
    routes = [route_pb2.RoutePreference(name=f"route {n}", description=f"matter {n} of kind {number}", model_ids=["acme/small"])
              for n in range(64)]
    return ask(route_preferences=routes)


class Errors(unittest.TestCase):
    """One test for each row."""

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        Path(cls.folder, "default.yaml").write_text(POLICY, encoding="utf-8")
        Path(cls.folder, "broken.yaml").write_text("schema: 1\ndefault: nobody\n", encoding="utf-8")
        cls.server = cls.enterClassContext(Server(BIN, "--policy", cls.folder))
        cls.channel = grpc.insecure_channel(cls.server.address)
        cls.stub = router_service_pb2_grpc.RouterServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        metrics = cls.server.get("/metrics")[1]
        assert "\nsignalbox_panics_total 0\n" in metrics, "no call met a defect"

    def fails(self, call, code, reason, *kinds):
        """The error's details, by kind; of ErrorInfo the metadata. They are what is expected, and no others."""
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        error = caught.exception
        self.assertEqual(error.code().name, code, error.details())
        encoded = dict(error.trailing_metadata())["grpc-status-details-bin"]
        self.assertLessEqual(len(encoded) * 4 / 3, 4096, "bytes of details in the trailers")
        status = rpc_status.from_call(error)
        self.assertEqual((status.code, status.message), (error.code().value[0], error.details()))
        details = {}
        for packed in status.details:
            name = packed.type_url.rpartition(".")[2]
            details[name] = getattr(error_details_pb2, name)()
            self.assertTrue(packed.Unpack(details[name]))
        self.assertEqual(sorted(details), sorted(["ErrorInfo", *kinds]))
        info = details["ErrorInfo"]
        self.assertEqual((info.reason, info.domain), (reason, "signalbox"))
        details["ErrorInfo"] = dict(info.metadata)
        for violation in getattr(details.get("BadRequest"), "field_violations", []):
            self.assertTrue(violation.description)
        if "RetryInfo" in details:
            self.assertGreater(details["RetryInfo"].retry_delay.ToTimedelta().total_seconds(), 0)
        return details

    def route(self, request, code, reason, *kinds):
        """As `fails`, of a Route call."""
        return self.fails(lambda: self.stub.Route(request, timeout=10), code, reason, *kinds)

    def bad_fields(self, call, reason="INVALID_REQUEST"):
        """The fields that are bad."""
        return [v.field for v in self.fails(call, "INVALID_ARGUMENT", reason, "BadRequest")["BadRequest"].field_violations]

    def test_bad_fields_are_reported_all_together(self):
        request = ask(requirements=route_pb2.Requirements(min_quality=2), policy_checksum="abc")
        request.messages[0].role = 99
        found = self.bad_fields(lambda: self.stub.Route(request, timeout=10))
        self.assertEqual(found, ["messages[0].role", "requirements.min_quality", "policy_checksum"])
        self.assertEqual(self.bad_fields(lambda: self.stub.Route(ask(profile="fats"), timeout=10)), ["profile"])
        explain = explain_pb2.ExplainRequest(decision_id="nonsense")
        self.assertEqual(self.bad_fields(lambda: self.stub.Explain(explain, timeout=10)), ["decision_id"])
        report = outcome_pb2.ReportOutcomeRequest(outcomes=[outcome_pb2.Outcome()])
        self.assertTrue(self.bad_fields(lambda: self.stub.ReportOutcome(report, timeout=10)))

    def test_bad_fields_that_do_not_fit_are_counted(self):
        messages = [route_pb2.Message(role=99, content="x")] * 1000
        request = route_pb2.RouteRequest(messages=messages)
        details = self.route(request, "INVALID_ARGUMENT", "INVALID_REQUEST", "BadRequest")
        omitted = int(details["ErrorInfo"]["omitted"])
        self.assertEqual(len(details["BadRequest"].field_violations) + omitted, 1000)

    def test_bytes_that_are_no_request_are_invalid(self):
        raw = self.channel.unary_unary("/signalbox.v1.RouterService/Route")
        self.fails(lambda: raw(b"\x0a\x02\xff\xfe", timeout=10), "INVALID_ARGUMENT", "INVALID_REQUEST")

    def test_an_unknown_model_is_not_found_with_the_nearest_names(self):
        info = self.route(ask(model="acme/smal"), "NOT_FOUND", "UNKNOWN_MODEL")["ErrorInfo"]
        self.assertEqual(info["nearest"].split(", ")[0], "acme/small")

    def test_an_unknown_decision_is_not_found(self):
        request = explain_pb2.ExplainRequest(decision_id=str(uuid.uuid4()))
        self.fails(lambda: self.stub.Explain(request, timeout=10), "NOT_FOUND", "UNKNOWN_DECISION")

    def test_a_rule_denies(self):
        request = ask(caller=route_pb2.Caller(labels={"batch": "true"}))
        info = self.route(request, "PERMISSION_DENIED", "DENIED_BY_RULE")["ErrorInfo"]
        self.assertEqual(info["rule"], "no-batch")

    def test_a_model_of_another_tier_is_not_allowed(self):
        info = self.route(ask(model="acme/gold"), "PERMISSION_DENIED", "MODEL_NOT_ALLOWED")["ErrorInfo"]
        self.assertTrue(info["refused"].startswith("acme/gold: tier ("), info)

    def test_nothing_eligible_tells_what_refused_each_model(self):
        request = ask(requirements=route_pb2.Requirements(capabilities=["telepathy"]))
        info = self.route(request, "FAILED_PRECONDITION", "NO_ELIGIBLE_MODEL")["ErrorInfo"]
        self.assertIn("acme/small: capability (", info["refused"])

    def test_a_replica_behind_the_policy_asked_for_is_unavailable(self):
        for request in (ask(min_policy_version=8), ask(policy_checksum="0" * 64)):
            self.route(request, "UNAVAILABLE", "POLICY_BEHIND", "RetryInfo")

    def test_no_policy_yet_is_unavailable(self):
        request = ask(caller=route_pb2.Caller(tenant="broken"))
        self.route(request, "UNAVAILABLE", "POLICY_NOT_LOADED", "RetryInfo")

    def test_a_replica_that_drains_serves_on_and_then_is_unavailable(self):
        with Server(BIN, DRAIN_MS=1500) as server, grpc.insecure_channel(server.address) as channel:
            stub = router_service_pb2_grpc.RouterServiceStub(channel)
            stub.Route(ask(), timeout=10)
            server.signal(signal.SIGTERM)
            until("it says that it drains", lambda: server.get("/readyz")[0] == 503)
            stub.Route(ask("again"), timeout=10)
            self.assertEqual(server.process.wait(timeout=30), 0)
            with self.assertRaises(grpc.RpcError) as caught:
                stub.Route(ask(), timeout=10)
            self.assertEqual(caught.exception.code().name, "UNAVAILABLE")

    def test_another_checksum_aborts_a_reload(self):
        request = policy_admin_pb2.ReloadPolicyRequest(expected_checksum="0" * 64)
        call = lambda: self.stub.ReloadPolicy(request, timeout=10)  # noqa: E731
        details = self.fails(call, "ABORTED", "CHECKSUM_MISMATCH", "PreconditionFailure")
        self.assertEqual([v.subject for v in details["PreconditionFailure"].violations], ["expected_checksum"])

    def test_too_many_in_flight_are_refused_and_hits_are_not(self):
        self.stub.Route(ask("a hit"), timeout=10)
        calls = [self.stub.Route.future(invented(number), timeout=60) for number in range(60)]
        until("one is refused", lambda: any(call.done() and call.code() != grpc.StatusCode.OK for call in calls))
        hit = self.stub.Route(ask("a hit"), timeout=10)
        self.assertEqual(hit.cache_status, route_decision_pb2.CACHE_STATUS_EXACT_HIT)
        refused = [call for call in calls if call.exception()]
        self.assertLess(len(refused), len(calls))
        for call in refused:
            self.fails(call.result, "RESOURCE_EXHAUSTED", "OVERLOADED", "RetryInfo")

    def test_a_message_over_the_limit_is_exhausted_and_names_the_limit(self):
        request = ask("x" * (4 << 20), input_tokens=1)
        info = self.route(request, "RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE")["ErrorInfo"]
        self.assertEqual(info["limit_bytes"], str(4 << 20))

    def test_a_deadline_that_passed_is_exceeded(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.stub.Route(invented("late"), timeout=0.03)
        self.assertEqual(caught.exception.code().name, "DEADLINE_EXCEEDED")

    def test_a_bad_policy_is_invalid_with_paths_into_it_and_changes_nothing(self):
        before = self.stub.GetPolicy(policy_admin_pb2.GetPolicyRequest(), timeout=10).checksum
        bad = POLICY.replace("default: acme/small", "default: acme/smal\ncolour: red")
        request = policy_admin_pb2.ReloadPolicyRequest(policy_yaml=bad)
        found = self.bad_fields(lambda: self.stub.ReloadPolicy(request, timeout=10), "INVALID_POLICY")
        self.assertEqual(sorted(found), ["colour", "default"])
        self.assertEqual(self.stub.GetPolicy(policy_admin_pb2.GetPolicyRequest(), timeout=10).checksum, before)

    def test_administrative_calls_need_the_right_credentials(self):
        tokens = Path(self.folder, "tokens")
        tokens.write_text(f"{TOKEN}\n", encoding="utf-8")
        with Server(BIN, ADMIN__TOKENS_FILE=tokens) as server, grpc.insecure_channel(server.address) as channel:
            stub = router_service_pb2_grpc.RouterServiceStub(channel)
            calls = [
                (stub.ReloadPolicy, policy_admin_pb2.ReloadPolicyRequest(dry_run=True)),
                (stub.GetPolicy, policy_admin_pb2.GetPolicyRequest(tenant="acme")),
                (stub.Explain, explain_pb2.ExplainRequest(request=ask(), include_prompt=True)),
            ]
            for call, request in calls:
                def authorized(value, call=call, request=request):
                    return call(request, timeout=10, metadata=[("authorization", value)] if value else [])
                self.fails(lambda: authorized(None), "UNAUTHENTICATED", "CREDENTIALS_MISSING")
                self.fails(lambda: authorized("Bearer not-the-token-of-this-test"), "PERMISSION_DENIED", "CREDENTIALS_WRONG")
                authorized(f"Bearer {TOKEN}")
            stub.Route(ask(), timeout=10)


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main()
