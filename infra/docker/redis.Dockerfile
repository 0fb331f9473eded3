# Redis with the settings that Flotilla's promises rest on. From the project folder:
#   docker build -f infra/docker/redis.Dockerfile -t flotilla-redis .
# It writes nothing but /data, so its root can be read-only.

# Any image with redis-server and redis-cli 7.0 or later and a user "redis" who owns /data.
ARG REDIS_IMAGE=redis:7.4-alpine

FROM ${REDIS_IMAGE}
COPY infra/redis/redis.conf /etc/flotilla/redis.conf
WORKDIR /data
VOLUME /data
USER redis
EXPOSE 6379
HEALTHCHECK --interval=2s --timeout=2s --start-period=5s --retries=15 CMD ["redis-cli", "ping"]
# protected-mode no: for a network of its own that reaches neither the host nor the outside, without a published port.
# Give it a password before you change that.
ENTRYPOINT ["redis-server", "/etc/flotilla/redis.conf", "--bind", "0.0.0.0", "--protected-mode", "no", "--dir", "/data"]
CMD []
