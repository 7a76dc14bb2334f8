package signalbox.examples;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.NameResolverRegistry;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import signalbox.v1.PolicyAdmin.GetPolicyRequest;
import signalbox.v1.Route.Message;
import signalbox.v1.Route.Requirements;
import signalbox.v1.Route.Role;
import signalbox.v1.Route.RouteRequest;
import signalbox.v1.RouteDecision.RouteResponse;
import signalbox.v1.RouterServiceGrpc;
import signalbox.v1.RouterServiceGrpc.RouterServiceBlockingStub;

/** Asks Signalbox which model should answer each line of standard input; goes on without it while it is away. */
public final class RouteExample {
    /** What a caller uses while Signalbox is away: its own choice, kept where no server is needed to read it. */
    private static final String DEFAULT_MODEL = "openai/gpt-5-mini";

    /**
     * Every call goes to the next replica; one that failed as UNAVAILABLE is sent again, to another one. Explain, GetPolicy
     * and ReportOutcome may be added by name; ReloadPolicy is never to be sent twice. Numbers must be doubles.
     */
    private static final Map<String, ?> SERVICE_CONFIG = Map.of(
            "loadBalancingConfig", List.of(Map.of("round_robin", Map.of())),
            "methodConfig", List.of(Map.of(
                    "name", List.of(Map.of("service", "signalbox.v1.RouterService", "method", "Route")),
                    "retryPolicy", Map.of(
                            "maxAttempts", 4.0,
                            "initialBackoff", "0.05s",
                            "maxBackoff", "1s",
                            "backoffMultiplier", 2.0,
                            "retryableStatusCodes", List.of("UNAVAILABLE")))));

    /** Signalbox cannot answer just now, which must not fail the caller's own request. All else is to be read and put right. */
    private static final Set<Status.Code> AWAY = Set.of(
            Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED, Status.Code.RESOURCE_EXHAUSTED, Status.Code.INTERNAL);

    /** Standard output in UTF-8, whatever the platform's own encoding. */
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    /** One channel to all replicas: a list, or one name that DNS resolves to them (a headless Service). */
    private static ManagedChannel connect(String addresses, Map<String, String> options) throws IOException {
        NameResolverRegistry.getDefaultRegistry().register(new Replicas());
        String target = (addresses.contains(",") ? "replicas:///" : "dns:///") + addresses;
        ChannelCredentials credentials = InsecureChannelCredentials.create();
        if (options.containsKey("ca")) {
            credentials = TlsChannelCredentials.newBuilder().trustManager(new File(options.get("ca"))).build();
        }
        var channel = Grpc.newChannelBuilder(target, credentials).defaultServiceConfig(SERVICE_CONFIG);
        if (options.containsKey("server-name")) {
            channel.overrideAuthority(options.get("server-name"));
        }
        return channel.build();
    }

    private static void show(RouteResponse decision) {
        OUT.println("model       " + decision.getModelId());
        OUT.println("route       " + orDash(decision.getRoute()));
        OUT.println("confidence  " + (decision.hasConfidence() ? "%.3f".formatted(decision.getConfidence()) : "-"));
        OUT.println("fallbacks   " + orDash(String.join(", ", decision.getFallbackModelIdsList())));
        OUT.println("reason      " + decision.getReason());
    }

    private static String orDash(String text) {
        return text.isEmpty() ? "-" : text;
    }

    /** Prints why Signalbox said no, with every problem: its details are standard google.rpc messages. */
    private static void refused(StatusRuntimeException error) throws InvalidProtocolBufferException {
        String reason = error.getStatus().getCode().name();
        List<BadRequest.FieldViolation> problems = List.of();
        for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
            if (detail.is(ErrorInfo.class)) {
                reason = detail.unpack(ErrorInfo.class).getReason();
            } else if (detail.is(BadRequest.class)) {
                problems = detail.unpack(BadRequest.class).getFieldViolationsList();
            }
        }
        OUT.println("refused     " + reason + ": " + error.getStatus().getDescription());
        for (BadRequest.FieldViolation problem : problems) {
            OUT.println("problem     " + problem.getField() + ": " + problem.getDescription());
        }
    }

    private static void route(RouterServiceBlockingStub stub, String prompt, Requirements requirements)
            throws InvalidProtocolBufferException {
        var message = Message.newBuilder().setRole(Role.ROLE_USER).setContent(prompt);
        try {
            show(stub.route(RouteRequest.newBuilder().addMessages(message).setRequirements(requirements).build()));
        } catch (StatusRuntimeException error) {
            if (AWAY.contains(error.getStatus().getCode())) {
                OUT.println("model       " + DEFAULT_MODEL);
                OUT.println("reason      Signalbox is away (" + error.getStatus().getCode()
                        + "); this is the caller's own default: " + error.getStatus().getDescription());
            } else {
                refused(error);
            }
        }
        OUT.println();
    }

    /** A tenant's policy. Only administrative calls carry the token. */
    private static void policy(RouterServiceBlockingStub stub, String tenant) throws InvalidProtocolBufferException {
        String token = System.getenv("SIGNALBOX_TOKEN");
        if (token != null) {
            var headers = new Metadata();
            headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
            stub = stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
        }
        try {
            var policy = stub.getPolicy(GetPolicyRequest.newBuilder().setTenant(tenant).build());
            OUT.println("policy      " + policy.getVersion() + " " + policy.getChecksum());
        } catch (StatusRuntimeException error) {
            refused(error);
        }
    }

    /** A stub whose calls end in time. A deadline is a moment, so each call takes a new one. */
    private static RouterServiceBlockingStub stub(ManagedChannel channel, Map<String, String> options) {
        long deadline = (long) (1000 * Double.parseDouble(options.getOrDefault("deadline", "2")));
        return RouterServiceGrpc.newBlockingStub(channel).withDeadlineAfter(deadline, TimeUnit.MILLISECONDS);
    }

    public static void main(String[] arguments) throws IOException {
        var options = new HashMap<String, String>();
        var addresses = new ArrayList<String>();
        for (int i = 0; i < arguments.length; i++) {
            if (arguments[i].startsWith("--") && i + 1 < arguments.length) {
                options.put(arguments[i].substring(2), arguments[++i]);
            } else {
                addresses.add(arguments[i]);
            }
        }
        var known = Set.of("deadline", "max-cost-usd", "min-quality", "ca", "server-name", "policy-of");
        if (addresses.size() != 1 || !known.containsAll(options.keySet())) {
            System.err.println("usage: RouteExample [--deadline S] [--max-cost-usd USD] [--min-quality Q] [--ca FILE] "
                    + "[--server-name NAME] [--policy-of TENANT] HOST:PORT[,HOST:PORT...]");
            System.exit(2);
        }
        ManagedChannel channel = connect(addresses.get(0), options);
        if (options.containsKey("policy-of")) {
            policy(stub(channel, options), options.get("policy-of"));
        } else {
            var requirements = Requirements.newBuilder();
            if (options.containsKey("max-cost-usd")) {
                requirements.setMaxCostUsd(Double.parseDouble(options.get("max-cost-usd")));
            }
            if (options.containsKey("min-quality")) {
                requirements.setMinQuality(Double.parseDouble(options.get("min-quality")));
            }
            var prompts = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line; (line = prompts.readLine()) != null; ) {
                route(stub(channel, options), line, requirements.build());
            }
        }
        channel.shutdown();
    }
}
