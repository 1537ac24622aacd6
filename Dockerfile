# Two images of one environment: chimera-producer and chimera-worker (docker build --target producer|worker .).
# Every package comes from requirements/runtime.lock and is checked against its hash.

FROM python:3.13.13-slim-bookworm AS build
WORKDIR /build
COPY requirements/runtime.lock requirements/build.in requirements/
# The environment gets no pip: the base image's installs into it, and compiles, for the containers' file systems are read-only.
# Its cache stays in this stage.
# hadolint ignore=DL3042
RUN python -m venv --without-pip /opt/chimera \
    && pip --python /opt/chimera/bin/python install --disable-pip-version-check --require-hashes --only-binary :all: \
       --requirement requirements/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY contracts/ contracts/
COPY dispatch/ dispatch/
COPY analysis/ analysis/
COPY producer/ producer/
COPY worker/ worker/
COPY benchmarks/ benchmarks/
# What builds the wheel stands in the lock file, too; it is not needed after that.
# hadolint ignore=DL3042
RUN pip --python /opt/chimera/bin/python install --disable-pip-version-check --no-deps --no-build-isolation . \
    && pip --python /opt/chimera/bin/python uninstall --yes --requirement requirements/build.in

FROM python:3.13.13-slim-bookworm AS runtime
RUN groupadd --gid 10001 chimera \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin chimera
COPY --from=build /opt/chimera /opt/chimera
ENV PATH=/opt/chimera/bin:$PATH \
    HOME=/tmp
# As process 1 a command that has not come up yet does not hear SIGTERM: start containers with an init (--init).
STOPSIGNAL SIGTERM
ENTRYPOINT ["chimera"]

FROM runtime AS worker
LABEL org.opencontainers.image.title="chimera-worker" \
      org.opencontainers.image.description="Chimera's worker of a slot, and its aggregator" \
      org.opencontainers.image.licenses="MIT"
USER 10001:10001
CMD ["worker", "--help"]

FROM runtime AS producer
LABEL org.opencontainers.image.title="chimera-producer" \
      org.opencontainers.image.description="Chimera's commands, and Flower" \
      org.opencontainers.image.licenses="MIT"
# A new volume takes the owner of the folder that it is mounted on.
RUN for folder in state prepare/redis prepare/producer prepare/aggregator prepare/worker prepare/flower \
                  prepare/monitoring prepare/models; \
    do mkdir -p "/$folder" && chown 10001:10001 "/$folder"; done
WORKDIR /work
USER 10001:10001
CMD ["--help"]
