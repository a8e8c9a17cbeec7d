import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CaptureRecord } from './contract/captures.ts';
import type { ReplayRecord } from './contract/replays.ts';
import { openDatabase } from './database.ts';
import { createStore } from './store.ts';

const record = (id: string) => ({ id }) as CaptureRecord;

describe('the store', () => {
  it('lists every record once over its pages, whatever is deleted and added between them', () => {
    const step = fc.record({ remove: fc.nat(40), limit: fc.integer({ min: 1, max: 5 }) });
    return fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 30 }), fc.array(step, { maxLength: 8 }), async (size, steps) => {
        const { captures } = createStore(openDatabase(':memory:'));
        for (let i = 0; i < size; i++) await captures.put(record(`r${i}`));
        const removed = new Set<string>();
        const seen: string[] = [];
        let cursor: string | undefined;
        for (let i = 0; ; i++) {
          const { remove = 99, limit = 3 } = steps[i] ?? {};
          await captures.delete(`r${remove}`);
          removed.add(`r${remove}`);
          const page = await captures.list(limit, cursor);
          expect(page.items.length).toBeLessThanOrEqual(limit);
          seen.push(...page.items.map(({ id }) => id));
          if (page.next === null) break;
          cursor = page.next;
        }
        expect(new Set(seen).size).toBe(seen.length);
        for (let i = 0; i < size; i++) if (!removed.has(`r${i}`)) expect(seen).toContain(`r${i}`);
      }),
    );
  });

  it('knows the last use of all programs of a pipeline, for as long as the replay is there', async () => {
    const { replays, lastUse } = createStore(openDatabase(':memory:'));
    const ended = '2026-11-23T00:00:00.000Z';
    const pipeline = ['b', 'c', 'c'].map((program) => ({ hook: 'tc-ingress', program }));
    const replay = { id: 'r', state: 'running', request: { program: 'a', capture: 'd', pipeline }, finishedAt: null };
    const put = (more: object) => replays.put({ ...replay, ...more } as unknown as ReplayRecord);
    const uses = () => Promise.all(['a', 'b', 'c', 'd', 'e'].map(lastUse));
    await put({});
    expect(await uses()).toEqual([null, null, null, null, null]);
    await put({ state: 'cancelled', finishedAt: ended });
    expect(await uses()).toEqual([ended, ended, ended, ended, null]);
    await replays.delete('r');
    expect(await uses()).toEqual([null, null, null, null, null]);
  });

  it('replaces a record in its place', async () => {
    const { captures } = createStore(openDatabase(':memory:'));
    for (const id of ['a', 'b']) await captures.put(record(id));
    await captures.put({ ...record('a'), name: 'new' });
    expect((await captures.list(10)).items.map(({ id, name }) => [id, name])).toEqual([
      ['a', 'new'],
      ['b', undefined],
    ]);
    expect(await captures.count()).toBe(2);
  });
});
