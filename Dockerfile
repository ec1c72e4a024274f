# mintd on Debian 13: one stage compiles, the other has the two programs and their five libraries.
FROM debian:trixie-slim AS build
WORKDIR /mintd
COPY script/packages script/lib.sh script/
RUN script/packages build && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt ./
COPY include include
COPY src src
COPY cmd cmd
RUN cmake -S . -B build -DCMAKE_BUILD_TYPE=RelWithDebInfo -DMINTD_TESTS=OFF \
 && cmake --build build -j "$(nproc)" \
 && strip build/bin/mintd build/bin/mintctl

FROM debian:trixie-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
    libllhttp9.2 libhiredis1.1.0 libuv1t64 libcjson1 libssl3t64 ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /mintd/build/bin/mintd /mintd/build/bin/mintctl /usr/local/bin/
# Nothing is written anywhere: the root file system may be read-only.
USER 65532:65532
ENV MINTD_LISTEN=0.0.0.0:4001
# For balancers to see that it goes, ahead of the drain: give it 5 + 10 s (stop_grace_period).
ENV MINTD_DRAIN_DELAY=5
EXPOSE 4001
HEALTHCHECK --interval=2s --timeout=2s --start-period=10s --retries=3 CMD ["mintctl", "health"]
ENTRYPOINT ["mintd"]
