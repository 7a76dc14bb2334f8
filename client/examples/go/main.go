// Asks Signalbox which model should answer each line of standard input; goes on without it while it is away.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	pb "signalbox.example/route/signalboxv1"
)

// What a caller uses while Signalbox is away: its own choice, kept where no server is needed to read it.
const defaultModel = "openai/gpt-5-mini"

// Every call goes to the next replica; one that failed as UNAVAILABLE is sent again, to another one. Explain, GetPolicy and
// ReportOutcome may be added by name; ReloadPolicy is never to be sent twice.
const serviceConfig = `{
	"loadBalancingConfig": [{"round_robin": {}}],
	"methodConfig": [{
		"name": [{"service": "signalbox.v1.RouterService", "method": "Route"}],
		"retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2,
			"retryableStatusCodes": ["UNAVAILABLE"]}
	}]
}`

// connect makes one channel to all replicas: a list, or one name that DNS resolves to them (a headless Service).
func connect(addresses, ca, serverName string) (*grpc.ClientConn, error) {
	list := strings.Split(addresses, ",")
	transport := insecure.NewCredentials()
	if ca != "" {
		if serverName == "" {
			serverName, _, _ = net.SplitHostPort(list[0])
		}
		var err error
		if transport, err = credentials.NewClientTLSFromFile(ca, serverName); err != nil {
			return nil, err
		}
	}
	options := []grpc.DialOption{grpc.WithDefaultServiceConfig(serviceConfig), grpc.WithTransportCredentials(transport)}
	if len(list) == 1 {
		return grpc.NewClient("dns:///"+list[0], options...)
	}
	replicas := manual.NewBuilderWithScheme("replicas")
	state := resolver.State{}
	for _, address := range list {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	replicas.InitialState(state)
	return grpc.NewClient("replicas:///"+list[0], append(options, grpc.WithResolvers(replicas))...)
}

// away tells whether Signalbox cannot answer just now, which must not fail the caller's own request. All else is to be read
// and put right.
func away(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Internal:
		return true
	}
	return false
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func show(decision *pb.RouteResponse) {
	fmt.Printf("model       %s\n", decision.ModelId)
	fmt.Printf("route       %s\n", orDash(decision.Route))
	if decision.Confidence != nil {
		fmt.Printf("confidence  %.3f\n", *decision.Confidence)
	} else {
		fmt.Println("confidence  -")
	}
	fmt.Printf("fallbacks   %s\n", orDash(strings.Join(decision.FallbackModelIds, ", ")))
	fmt.Printf("reason      %s\n", decision.Reason)
}

// refused prints why Signalbox said no, with every problem: its details are standard google.rpc messages.
func refused(err *status.Status) {
	reason := err.Code().String()
	var problems []*errdetails.BadRequest_FieldViolation
	for _, detail := range err.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = detail.Reason
		case *errdetails.BadRequest:
			problems = detail.FieldViolations
		}
	}
	fmt.Printf("refused     %s: %s\n", reason, err.Message())
	for _, problem := range problems {
		fmt.Printf("problem     %s: %s\n", problem.Field, problem.Description)
	}
}

func main() {
	deadline := flag.Float64("deadline", 2, "seconds for a call, retries included")
	maxCost := flag.Float64("max-cost-usd", 0, "the most that a request may cost")
	minQuality := flag.Float64("min-quality", 0, "the least quality of a model, 0 to 1")
	ca := flag.String("ca", "", "speak TLS, and trust the authorities in this PEM file")
	serverName := flag.String("server-name", "", "the name in the servers' certificate, where it is not the first host")
	policyOf := flag.String("policy-of", "", "show a tenant's policy; administrative: SIGNALBOX_TOKEN")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: route [flags] HOST:PORT[,HOST:PORT...]")
	}
	connection, err := connect(flag.Arg(0), *ca, *serverName)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	client := pb.NewRouterServiceClient(connection)
	limit := time.Duration(*deadline * float64(time.Second))

	if *policyOf != "" {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		// Only administrative calls carry the token.
		if token := os.Getenv("SIGNALBOX_TOKEN"); token != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
		}
		policy, err := client.GetPolicy(ctx, &pb.GetPolicyRequest{Tenant: *policyOf})
		if err != nil {
			refused(status.Convert(err))
			return
		}
		fmt.Printf("policy      %d %s\n", policy.Version, policy.Checksum)
		return
	}

	requirements := &pb.Requirements{}
	flag.Visit(func(given *flag.Flag) {
		switch given.Name {
		case "max-cost-usd":
			requirements.MaxCostUsd = maxCost
		case "min-quality":
			requirements.MinQuality = minQuality
		}
	})
	route := func(prompt string) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		message := &pb.Message{Role: pb.Role_ROLE_USER, Content: prompt}
		decision, err := client.Route(ctx, &pb.RouteRequest{Messages: []*pb.Message{message}, Requirements: requirements})
		switch {
		case err == nil:
			show(decision)
		case away(status.Code(err)):
			fmt.Printf("model       %s\n", defaultModel)
			fmt.Printf("reason      Signalbox is away (%s); this is the caller's own default: %s\n",
				status.Code(err), status.Convert(err).Message())
		default:
			refused(status.Convert(err))
		}
		fmt.Println()
	}
	prompts := bufio.NewScanner(os.Stdin)
	for prompts.Scan() {
		route(prompts.Text())
	}
}
