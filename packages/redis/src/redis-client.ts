import { Cluster, type Redis } from 'ioredis';

/** A client of one server (or of the master that Sentinel names), or of a Redis Cluster. */
export type RedisClient = Redis | Cluster;

export function isCluster(client: RedisClient): client is Cluster {
  return client instanceof Cluster || client.isCluster;
}

/** The clients of the nodes that take writes: the masters of a Cluster that is connected, else the client itself. */
export function mastersOf(client: RedisClient): Redis[] {
  return isCluster(client) ? client.nodes('master') : [client];
}
