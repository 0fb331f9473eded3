import { readdirSync } from 'node:fs';
import { METRICS } from '@flotilla/telemetry';
import { describe, expect, test } from '@jest/globals';
import { read } from './markdown.ts';

const ALERTS = 'infra/monitoring/alerts.yml';
const DASHBOARD = 'infra/monitoring/grafana/flotilla.json';

/** As Prometheus shows it. */
const shownNames = new Set(
  Object.entries(METRICS).flatMap(([name, { kind }]) => {
    if (kind === 'counter') return [name.endsWith('_total') ? name : `${name}_total`];
    return kind === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name];
  }),
);

const namesIn = (text: string) => new Set(text.match(/\b(?:flotilla|workflow|active)_[a-z_]+\b/g));

describe('metrics that are used', () => {
  test.each([
    ['alerts', read(ALERTS)],
    ['the tests of alerts', read('infra/monitoring/alerts.test.yml')],
    ['the Grafana dashboard', read(DASHBOARD)],
  ])('exist, as Prometheus shows them: %s', (_, text) => {
    const used = namesIn(text);
    expect(used.size).toBeGreaterThan(10);
    expect([...used].filter((name) => !shownNames.has(name))).toEqual([]);
  });

  test('have the labels that queries split and filter by', () => {
    const labels = new Set([...Object.values(METRICS).flatMap((metric) => metric.labels as readonly string[])]);
    const text = `${read(ALERTS)}${read(DASHBOARD).replaceAll('\\"', '"')}`;
    const asked = [...text.matchAll(/\bby \(([a-z, ]+)\)/g)].flatMap(([, list]) => list!.split(', '));
    const filtered = [...text.matchAll(/[{,]([a-z]+)=~?"/g)].map(([, label]) => label!);
    const known = [...labels, 'le', 'instance', 'job'];
    expect([...asked, ...filtered].filter((label) => !known.includes(label))).toEqual([]);
  });
});

test('every alert names a section of the runbook that exists, and is tried by promtool', () => {
  const headings = new Set(
    [...read('docs/guides/runbook.md').matchAll(/^## (.+)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
  const alerts = read(ALERTS);
  const anchors = [...alerts.matchAll(/runbook: docs\/guides\/runbook\.md#(\S+)/g)].map(([, anchor]) => anchor!);
  const names = [...alerts.matchAll(/alert: (\w+)/g)].map(([, name]) => name!);
  expect(anchors).toHaveLength(names.length);
  expect(anchors.filter((anchor) => !headings.has(anchor))).toEqual([]);
  const tried = read('infra/monitoring/alerts.test.yml');
  expect(names.filter((name) => tried.split(`alertname: ${name}`).length < 2)).toEqual([]);
});

test('no label can hold an id of a run, step, attempt or worker', () => {
  const labels = Object.values(METRICS).flatMap((metric) => metric.labels as readonly string[]);
  expect(labels.filter((label) => /run|step|attempt|agent|worker|id$/.test(label))).toEqual([]);
});

test('the guide names every file of infra/monitoring that a user starts with', () => {
  const guide = read('docs/guides/metrics.md');
  const named = readdirSync(new URL('../../infra/monitoring', import.meta.url)).filter((name) => guide.includes(name));
  expect(named).toEqual(
    expect.arrayContaining(['alerts.yml', 'alerts.test.yml', 'docker-compose.yml', 'prometheus.yml']),
  );
});
