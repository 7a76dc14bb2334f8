package signalbox.examples;

import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.StatusOr;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.util.Collection;
import java.util.List;

/** Targets of the form {@code replicas:///HOST:PORT,HOST:PORT}: a fixed list, which gRPC for Java has no scheme for. */
final class Replicas extends NameResolverProvider {
    @Override
    public String getDefaultScheme() {
        return "replicas";
    }

    @Override
    public NameResolver newNameResolver(URI target, NameResolver.Args args) {
        List<String> addresses = List.of(target.getPath().substring(1).split(","));
        return new NameResolver() {
            @Override
            public String getServiceAuthority() {
                return addresses.get(0);
            }

            @Override
            public void start(Listener2 listener) {
                var groups = addresses.stream().map(Replicas::address).map(EquivalentAddressGroup::new).toList();
                listener.onResult(ResolutionResult.newBuilder().setAddressesOrError(StatusOr.fromValue(groups)).build());
            }

            @Override
            public void shutdown() {}
        };
    }

    private static SocketAddress address(String text) {
        int colon = text.lastIndexOf(':');
        return new InetSocketAddress(text.substring(0, colon), Integer.parseInt(text.substring(colon + 1)));
    }

    @Override
    public Collection<Class<? extends SocketAddress>> getProducedSocketAddressTypes() {
        return List.of(InetSocketAddress.class);
    }

    @Override
    protected boolean isAvailable() {
        return true;
    }

    @Override
    protected int priority() {
        return 5;
    }
}
