import type { FastifyInstance } from 'fastify';

interface KnownRoute {
  segments: readonly string[];
  methods: Set<string>;
}

/** Knows which methods each path takes, so that a wrong method is answered with 405 and not with 404. */
export class RouteTable {
  readonly #routes = new Map<string, KnownRoute>();

  /** Before the routes are registered. */
  observe(app: FastifyInstance): void {
    app.addHook('onRoute', ({ url, method }) => {
      const route = this.#routes.get(url) ?? { segments: url.split('/'), methods: new Set<string>() };
      for (const one of [method].flat()) route.methods.add(one);
      this.#routes.set(url, route);
    });
  }

  /** Methods of the resource at this path; empty when there is none. */
  methodsOf(url: string): string[] {
    const segments = url.split('?', 1)[0]!.split('/');
    const methods = new Set<string>();
    for (const route of this.#routes.values()) {
      if (route.segments.length !== segments.length) continue;
      const fits = route.segments.every(
        (part, index) => part === segments[index] || isParameter(part, segments[index]),
      );
      if (fits) for (const method of route.methods) methods.add(method);
    }
    return [...methods].sort();
  }
}

function isParameter(part: string, value: string | undefined): boolean {
  return part.startsWith(':') && value !== undefined && value !== '';
}
