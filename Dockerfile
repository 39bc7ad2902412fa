# The image of ordain: one binary that needs nothing else, and the annotated settings of a fleet.
#
#   docker build --tag ordain:0.1.0 .
#   docker run --rm ordain:0.1.0 --help
#
# The binary is linked statically against the C library of the builder, so that the image needs no
# system below it: no shell, no package manager, nothing to keep up to date but itself. The schemas
# of the aggregates are part of the binary.

FROM rust:1.95-bookworm AS builder
WORKDIR /source
COPY . .
# OPENSSL_STATIC: TLS and passwords towards Kafka are OpenSSL's, all else is in Rust.
# Both caches belong to the builder, none of it gets into the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    OPENSSL_STATIC=1 cargo rustc --release --locked --package ordain --bin ordain \
        --features kafka-ssl -- -C target-feature=+crt-static \
    && install -D target/release/ordain /image/ordain \
    && install -D --mode=644 /etc/ssl/certs/ca-certificates.crt \
        /image/etc/ssl/certs/ca-certificates.crt \
    && install --directory /image/data

FROM scratch
LABEL org.opencontainers.image.title="ordain" \
      org.opencontainers.image.description="Commands decided once, in order, durably" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# Whom brokers, stores and others may be vouched for by, when the configuration does not say.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
COPY --from=builder /image/etc /etc
COPY config/fleet.toml /etc/ordain/fleet.toml
# Where `ordain dev` keeps what it knows; the roles of a fleet write no file.
COPY --from=builder --chown=65532:65532 /image/data /data
COPY --from=builder /image/ordain /ordain
# Nobody in particular: a number, because there is no list of users.
USER 65532:65532
WORKDIR /data
EXPOSE 7400 7401
STOPSIGNAL SIGTERM
ENTRYPOINT ["/ordain"]
