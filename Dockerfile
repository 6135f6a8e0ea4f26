# Two images from one file; each holds only what its program needs, installed from a lock with hashes:
#   docker build --target mcsvc     -t montecarlo/mcsvc:0.1.0 .
#   docker build --target simulator -t montecarlo/simulator:0.1.0 .
# A private package index is given as a secret, so that no image and no layer knows it:
#   docker build --secret id=pip-conf,src=$HOME/.config/pip/pip.conf …
# The Python is the one the tests run on: the lock has other versions of numpy for later ones.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
# For GPUs, a lock whose jax has a CUDA plugin (docs/deployment.md).
ARG SIMULATOR_LOCK=requirements/image-simulator.txt

FROM ${PYTHON_IMAGE} AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PATH=/opt/venv/bin:$PATH \
    HOME=/tmp
# A login shell resets PATH; KubeRay may start Ray through one.
RUN groupadd --gid 10001 montecarlo \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin montecarlo \
    && echo 'export PATH=/opt/venv/bin:$PATH' > /etc/profile.d/venv.sh
WORKDIR /app

# The environment is built without pip in it; the build tools of the lock leave again once the project is installed.
FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    BUILD_TOOLS="editables hatchling pathspec pluggy tomlkit trove-classifiers"
RUN python -m venv --without-pip /opt/venv
WORKDIR /src

FROM build AS build-mcsvc
COPY requirements/image-mcsvc.txt requirements/
RUN --mount=type=secret,id=pip-conf,target=/etc/pip.conf \
    pip --python /opt/venv/bin/python install --require-hashes --no-deps --only-binary :all: -r requirements/image-mcsvc.txt
COPY pyproject.toml README.md ./
COPY generated generated
COPY mcsvc mcsvc
COPY riskio riskio
COPY simulator simulator
RUN pip --python /opt/venv/bin/python install --no-index --no-deps --no-build-isolation . \
    && pip --python /opt/venv/bin/python uninstall --yes ${BUILD_TOOLS}

FROM build AS build-simulator
ARG SIMULATOR_LOCK
COPY ${SIMULATOR_LOCK} requirements/
RUN --mount=type=secret,id=pip-conf,target=/etc/pip.conf \
    pip --python /opt/venv/bin/python install --require-hashes --no-deps --only-binary :all: -r ${SIMULATOR_LOCK}
COPY pyproject.toml README.md ./
COPY generated generated
COPY mcsvc mcsvc
COPY riskio riskio
COPY simulator simulator
RUN pip --python /opt/venv/bin/python install --no-index --no-deps --no-build-isolation . \
    && pip --python /opt/venv/bin/python uninstall --yes ${BUILD_TOOLS}

# The service: no ray, no jax. `mcsvc migrate` is the same image with another argument.
FROM base AS mcsvc
COPY --from=build-mcsvc /opt/venv /opt/venv
USER 10001:10001
EXPOSE 50051 3002
ENTRYPOINT ["mcsvc"]
CMD ["serve"]

# The simulator: a server of its own here; KubeRay puts `ray start …` in the place of the entrypoint.
FROM base AS simulator
ENV RAY_USAGE_STATS_ENABLED=0
COPY --from=build-simulator /opt/venv /opt/venv
USER 10001:10001
EXPOSE 9000 8000
ENTRYPOINT ["python", "-m", "simulator.serve"]
