# Two stages: the first builds a virtual environment from the hashed lock, the second holds nothing but that.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/nuanyang
COPY requirements.lock .
RUN /opt/nuanyang/bin/pip install --require-hashes -r requirements.lock
COPY . .
RUN /opt/nuanyang/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/nuanyang --create-home nuanyang \
    && install -d -o nuanyang -g nuanyang -m 700 /var/lib/nuanyang/spool
COPY --from=build /opt/nuanyang /opt/nuanyang
ENV PATH=/opt/nuanyang/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NUANYANG_HOST=0.0.0.0 \
    NUANYANG_SPOOL=/var/lib/nuanyang/spool
USER nuanyang
WORKDIR /var/lib/nuanyang
VOLUME /var/lib/nuanyang
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["nuanyang"]
CMD ["serve"]
