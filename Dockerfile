# Seedcorn in one static binary on an image without a shell.
#
#	docker build --build-arg VERSION="$(git describe --tags --always)" -t seedcorn .
#	docker run -p 127.0.0.1:8080:8080 -v seedcorn:/data -e SEEDCORN_WEB=public seedcorn
#
# The build runs on the builder's own platform and compiles for the wanted one;
# BuildKit sets BUILDPLATFORM, TARGETOS and TARGETARCH.
# https://docs.docker.com/build/building/multi-platform/#cross-compilation
FROM --platform=$BUILDPLATFORM golang:1.26-trixie AS build
WORKDIR /src

# The modules change seldom: a layer of their own.
COPY go.mod go.sum ./
RUN go mod download && go mod verify

COPY . .
ARG VERSION=devel
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags="-s -w -X main.version=$VERSION" -o /out/seedcorn ./cmd/seedcorn
# An empty folder for the volume, to be owned by the user that runs: the last image
# has no shell to make one.
RUN mkdir /out/data

# Root certificates, time zones and a user 65532; nothing else.
# https://github.com/GoogleContainerTools/distroless/blob/main/base/README.md
FROM gcr.io/distroless/static-debian13:nonroot
ARG VERSION=devel
LABEL org.opencontainers.image.title="Seedcorn" \
      org.opencontainers.image.description="AI research feeds, with the lab's country and the license of each work, in a weekly digest" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"

COPY --from=build /src/LICENSE /LICENSE
COPY --from=build /out/seedcorn /seedcorn
COPY --from=build --chown=65532:65532 /out/data /data

# Inside a container the loopback address is nobody's: listen on all of its own.
ENV SEEDCORN_DATABASE_URL=sqlite:/data/seedcorn.db \
    SEEDCORN_LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
USER 65532:65532

HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["/seedcorn", "health"]
ENTRYPOINT ["/seedcorn"]
CMD ["serve"]
