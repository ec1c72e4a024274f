# mintd on Debian 13. Two images out of one file, for each architecture that Debian has:
#
#     docker build .                  the two programs, what they load, and nothing else: no shell
#     docker build --target debug .   the same programs on Debian, with a shell and redis-cli
#
# Say which sources they are: --build-arg REVISION="$(git rev-parse HEAD)".
FROM debian:trixie-slim AS build
WORKDIR /mintd
COPY script/packages script/lib.sh script/
RUN script/packages build \
 && apt-get update && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt ./
COPY include include
COPY src src
COPY cmd cmd
ARG REVISION=unknown
RUN cmake -S . -B build -DCMAKE_BUILD_TYPE=RelWithDebInfo -DMINTD_TESTS=OFF -DMINTD_COMMIT="$REVISION" \
 && cmake --build build -j "$(nproc)" \
 && strip build/bin/mintd build/bin/mintctl
COPY deploy/image-root deploy/
RUN deploy/image-root /image "$(build/bin/mintd --version | cut -d ' ' -f 2)" build/bin/mintd build/bin/mintctl

FROM debian:trixie-slim AS debug
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
    libllhttp9.2 libhiredis1.1.0 libuv1t64 libcjson1 libssl3t64 zlib1g ca-certificates openssl redis-tools \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /mintd/build/bin/mintd /mintd/build/bin/mintctl /usr/local/bin/
USER 65532:65532
ENV MINTD_LISTEN=0.0.0.0:4001 MINTD_DRAIN_DELAY=5
EXPOSE 4001
HEALTHCHECK --interval=2s --timeout=2s --start-period=10s --retries=3 CMD ["mintctl", "health"]
ENTRYPOINT ["mintd"]

FROM scratch
COPY --from=build /image /
# Nothing is written anywhere: the root file system may be read-only.
USER 65532:65532
ENV PATH=/usr/local/bin MINTD_LISTEN=0.0.0.0:4001
# For balancers to see that it goes, ahead of the drain: give it 5 + 10 s (stop_grace_period).
ENV MINTD_DRAIN_DELAY=5
EXPOSE 4001
HEALTHCHECK --interval=2s --timeout=2s --start-period=10s --retries=3 CMD ["mintctl", "health"]
ENTRYPOINT ["mintd"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mintd" \
      org.opencontainers.image.description="OAuth 2.0 token service for machines" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="scratch"
